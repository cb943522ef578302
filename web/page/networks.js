// The whole model, without torch: from words to context, from noise to a latent, from a latent to a
// picture. Weights have the names of the course's package, and each function does what its module does:
// net.up_blocks[0][0].resnet.norm_1 is {weight, bias}.

import { add, column, plus, silu } from "./layers.js";

const PLACES = 32; // words of a context
const WIDTH = 128; // numbers that say a word

/** Return encode(numbers of 32 words): their context, (128, 32). models/caption_encoder.py. */
export function captionEncoder({ encoder }, { heap, linear, layerNorm, selfAttention }) {
  const { word, place, blocks, norm } = encoder;

  function attendAndThink(x, { norm_1, to_qkv, to_out, norm_2, mlp }) {
    const qkv = linear(to_qkv, layerNorm(norm_1, x, PLACES), PLACES);
    add(x, linear(to_out, selfAttention(qkv, 1, PLACES), PLACES));
    const wide = linear(mlp[0], layerNorm(norm_2, x, PLACES), PLACES);
    wide.set(wide.map(silu));
    return add(x, linear(mlp[2], wide, PLACES));
  }

  return (numbers) => {
    heap.forget();
    const x = heap.take(WIDTH * PLACES);
    for (let i = 0; i < x.length; i++) {
      const [channel, at] = [Math.floor(i / PLACES), i % PLACES];
      x[i] = word.weight.data[numbers[at] * WIDTH + channel] + place.data[at * WIDTH + channel];
    }
    return layerNorm(norm, Object.values(blocks).reduce(attendAndThink, x), PLACES).slice();
  };
}

/** Return ask(x (4, 8, 8), t, contexts): a guess of x_0 for each context. models/unet.py. */
export function textUNet(net, layers) {
  const { heap, conv, linear, groupNorm, resBlock, keysAndValues, attention, selfAttention } = layers;
  const answers = new WeakMap(); // of a context, in each cross-attention: kept, as no picture changes them

  /** Each place looks at all places of its picture. */
  function attend({ norm, to_qkv, to_out }, m) {
    const { data: qkv } = conv(to_qkv, groupNorm(norm, m, false));
    return plus(conv(to_out, { ...m, data: selfAttention(qkv, m.n, m.side ** 2) }), m);
  }

  /** Each place looks at the words: queries from the picture, keys and values from its context. */
  function attendToWords({ norm, to_q, to_kv, to_out }, m, contexts) {
    const { data: q } = conv(to_q, groupNorm(norm, m, false));
    const kept = contexts.map((context) => answer(context, to_kv));
    const [k, v] = ["k", "v"].map((name) => heap.put(...kept.map((one) => one[name])));
    return plus(conv(to_out, { ...m, data: attention(q, k, v, m.n, m.side ** 2, PLACES) }), m);
  }

  function answer(context, to_kv) {
    if (!answers.has(context)) answers.set(context, new Map());
    const kept = answers.get(context);
    if (!kept.has(to_kv)) {
      const { k, v } = keysAndValues(linear(to_kv, heap.put(context), PLACES), 1, PLACES);
      kept.set(to_kv, { k: k.slice(), v: v.slice() });
    }
    return kept.get(to_kv);
  }

  function stage(blocks, m, emb, contexts) {
    for (const { resnet, attn, cross_attn } of Object.values(blocks)) {
      m = resBlock(resnet, m, emb);
      if (attn) m = attend(attn, m);
      m = attendToWords(cross_attn, m, contexts);
    }
    return m;
  }

  /** The time in waves of 32 lengths, from 1 to 1000 radians in all. */
  function embed(t) {
    const angles = Array.from({ length: 32 }, (_, i) => Math.fround(t * Math.fround(10 ** ((3 * i) / 31))));
    const waves = Float32Array.from([...angles.map(Math.sin), ...angles.map(Math.cos)]);
    return column(net.time_embedding[2], column(net.time_embedding[0], waves).map(silu)).map(silu);
  }

  return (x, t, contexts) => {
    heap.forget();
    const emb = embed(t);
    const start = conv(net.stem, layers.together(contexts.map(() => x), 4, 8));
    const skip = stage(net.down_blocks[0], start, emb, contexts);
    let m = conv(net.downsamplers[0].mix, layers.unshuffle(skip));
    m = stage(net.mid_block, m, emb, contexts);
    m = layers.shuffle(conv(net.upsamplers[0].spread, m));
    m = conv(net.upsamplers[0].join, { ...m, data: heap.put(m.data, skip.data) });
    m = stage(net.up_blocks[0], m, emb, contexts);
    return layers.apart(conv(net.head, groupNorm(net.norm, m)));
  };
}

/** Return decode(latents, each (4, 8, 8)): a picture (3, 64, 64) in [-1, 1] for each. */
export function decoder({ from_latent, up, head }, layers, scalingFactor) {
  const { heap, conv, groupNorm, resBlock, shuffle, together, apart } = layers;
  const blocks = Object.values(up);
  const norm = blocks.pop();
  const wider = (m, block) => (block.mix ? shuffle(conv(block.mix, m)) : resBlock(block, m));

  function few(latents) {
    heap.forget();
    const scaled = latents.map((latent) => latent.map((value) => value / scalingFactor));
    const m = blocks.reduce(wider, conv(from_latent, together(scaled, 4, 8)));
    const pictures = apart(shuffle(conv(head, groupNorm(norm, m))));
    return pictures.map((picture) => picture.map((value) => Math.min(1, Math.max(-1, value))));
  }

  return (latents) => { // four at once: more would not fit on the heap
    const made = [];
    for (let i = 0; i < latents.length; i += 4) made.push(...few(latents.slice(i, i + 4)));
    return made;
  };
}
