// The whole model, without torch: from words to context, from noise to a latent, from a latent to a
// picture. Weights have the names of the course's package, and each function does what its module does.

import { add, layersOn, sigmoid } from "./layers.js";

const PLACES = 32; // words of a context
const WIDTH = 128; // numbers that say a word

/** The layers of one file of weights by name: part("stem") is {weight, bias}. */
function partsOf(weights) {
  const names = Object.keys(weights);
  const part = (name) => ({ weight: weights[`${name}.weight`], bias: weights[`${name}.bias`] });
  const has = (name) => names.some((one) => one.startsWith(`${name}.`));
  const count = (name) => new Set(names.filter((one) => one.startsWith(`${name}.`))
    .map((one) => one.slice(name.length + 1).split(".")[0])).size;
  return { part, has, count };
}

/** Return encode(numbers of 32 words): their context, (128, 32). models/caption_encoder.py. */
export function captionEncoder(weights, layers) {
  const { part, count } = partsOf(weights);
  const { heap, linear, layerNorm, selfAttention } = layers;
  const { data: word } = weights["encoder.word.weight"];
  const { data: place } = weights["encoder.place"];

  function block(name, x) {
    const qkv = linear(part(`${name}.to_qkv`), layerNorm(part(`${name}.norm_1`), x, PLACES), PLACES);
    const [q, k, v] = [0, 1, 2].map((i) => qkv.subarray(i * x.length, (i + 1) * x.length));
    const found = selfAttention(q, k, v, 1, PLACES);
    add(x, linear(part(`${name}.to_out`), found, PLACES));
    const wide = linear(part(`${name}.mlp.0`), layerNorm(part(`${name}.norm_2`), x, PLACES), PLACES);
    for (let i = 0; i < wide.length; i++) wide[i] *= sigmoid(wide[i]);
    return add(x, linear(part(`${name}.mlp.2`), wide, PLACES));
  }

  return (numbers) => {
    heap.forget();
    let x = heap.take(WIDTH * PLACES);
    for (let i = 0; i < x.length; i++) {
      const [channel, at] = [Math.floor(i / PLACES), i % PLACES];
      x[i] = word[numbers[at] * WIDTH + channel] + place[at * WIDTH + channel];
    }
    for (let i = 0; i < count("encoder.blocks"); i++) x = block(`encoder.blocks.${i}`, x);
    return layerNorm(part("encoder.norm"), x, PLACES).slice();
  };
}

/** Return ask(x (4, 8, 8), t, contexts): a guess of x_0 for each context. models/unet.py. */
export function textUNet(weights, layers) {
  const { part, has, count } = partsOf(weights);
  const { heap, linear, conv1, conv3, groupNorm, attend, turn, selfAttention, shuffle, unshuffle } = layers;
  const answers = new WeakMap(); // what a context answers does not depend on the picture: kept with it

  function resBlock(name, m, emb) {
    const more = column(part(`${name}.scale_shift`), emb);
    const h = conv3(part(`${name}.conv_1`), groupNorm(part(`${name}.norm_1`), m));
    const { data } = conv3(part(`${name}.conv_2`), groupNorm(part(`${name}.norm_2`), h, true, more));
    return { ...m, data: add(data, m.data) };
  }

  function attention(name, m) {
    const qkv = conv1(part(`${name}.to_qkv`), groupNorm(part(`${name}.norm`), m, false)).data;
    const [q, k, v] = [0, 1, 2].map((i) => qkv.subarray(i * m.data.length, (i + 1) * m.data.length));
    const found = conv1(part(`${name}.to_out`), { ...m, data: selfAttention(q, k, v, m.n, m.side ** 2) });
    return { ...m, data: add(found.data, m.data) };
  }

  function crossAttention(name, m, contexts) {
    const { data: q } = conv1(part(`${name}.to_q`), groupNorm(part(`${name}.norm`), m, false));
    const [places, all] = [m.side ** 2, m.n * m.side ** 2];
    const found = heap.take(q.length);
    contexts.forEach((context, picture) => {
      answers.get(context)[name].forEach(({ k, v }, head) => {
        const at = head * 32 * all + picture * places;
        attend(q.subarray(at), all, places, heap.put(k), heap.put(v), PLACES, found.subarray(at));
      });
    });
    return { ...m, data: add(conv1(part(`${name}.to_out`), { ...m, data: found }).data, m.data) };
  }

  function blocks(name, m, emb, contexts) {
    for (let i = 0; i < count(name); i++) {
      m = resBlock(`${name}.${i}.resnet`, m, emb);
      if (has(`${name}.${i}.attn`)) m = attention(`${name}.${i}.attn`, m);
      m = crossAttention(`${name}.${i}.cross_attn`, m, contexts);
    }
    return m;
  }

  /** The keys and values of a context at each cross-attention, for each head. */
  function answer(context) {
    if (answers.has(context)) return;
    const kept = {};
    for (const key of Object.keys(weights).filter((one) => one.endsWith("to_kv.weight"))) {
      const name = key.slice(0, -".to_kv.weight".length);
      heap.forget();
      const kv = linear(part(`${name}.to_kv`), heap.put(context), PLACES);
      const channels = kv.length / 2 / PLACES;
      kept[name] = [];
      for (let row = 0; row < channels; row += 32) {
        const k = turn(kv.subarray(row * PLACES), 32, PLACES).slice();
        const v = kv.slice((channels + row) * PLACES, (channels + row + 32) * PLACES);
        kept[name].push({ k, v });
      }
    }
    answers.set(context, kept);
  }

  function embed(t) {
    const waves = new Float32Array(64);
    for (let i = 0; i < 32; i++) {
      const angle = Math.fround(t * Math.fround(10 ** ((3 * i) / 31)));
      waves[i] = Math.sin(angle);
      waves[32 + i] = Math.cos(angle);
    }
    const silu = (row) => row.map((value) => value * sigmoid(value));
    return silu(column(part("time_embedding.2"), silu(column(part("time_embedding.0"), waves))));
  }

  return (x, t, contexts) => {
    contexts.forEach(answer);
    heap.forget();
    const n = contexts.length;
    const start = heap.take(4 * n * 64);
    for (let i = 0; i < start.length; i++) start[i] = x[Math.floor(i / (n * 64)) * 64 + (i % 64)];
    const emb = embed(t);
    const stem = conv3(part("stem"), { data: start, channels: 4, n, side: 8 });
    const skip = blocks("down_blocks.0", stem, emb, contexts);
    let m = conv1(part("downsamplers.0.mix"), unshuffle(skip));
    m = blocks("mid_block", m, emb, contexts);
    const wide = shuffle(conv1(part("upsamplers.0.spread"), m));
    const both = heap.take(2 * skip.data.length);
    both.set(wide.data);
    both.set(skip.data, skip.data.length);
    m = conv1(part("upsamplers.0.join"), { ...skip, channels: 2 * skip.channels, data: both });
    m = blocks("up_blocks.0", m, emb, contexts);
    return apart(conv3(part("head"), groupNorm(part("norm"), m)));
  };
}

/** Return decode(latents, each (4, 8, 8)): a picture (3, 64, 64) in [-1, 1] for each. */
export function decoder(weights, layers, scalingFactor) {
  const { part, has, count } = partsOf(weights);
  const { heap, conv1, conv3, groupNorm, shuffle } = layers;

  function up(name, m) {
    if (has(`${name}.mix`)) return shuffle(conv1(part(`${name}.mix`), m));
    const h = conv3(part(`${name}.conv_1`), groupNorm(part(`${name}.norm_1`), m));
    const { data } = conv3(part(`${name}.conv_2`), groupNorm(part(`${name}.norm_2`), h));
    return { ...m, data: add(data, m.data) };
  }

  function few(latents) {
    heap.forget();
    const n = latents.length;
    const start = heap.take(4 * n * 64);
    latents.forEach((z, picture) => z.forEach((value, i) => {
      start[(Math.floor(i / 64) * n + picture) * 64 + (i % 64)] = value / scalingFactor;
    }));
    let m = conv3(part("from_latent"), { data: start, channels: 4, n, side: 8 });
    const last = count("up") - 1;
    for (let i = 0; i < last; i++) m = up(`up.${i}`, m);
    return apart(shuffle(conv3(part("head"), groupNorm(part(`up.${last}`), m))));
  }

  return (latents) => {
    const made = [];
    for (let i = 0; i < latents.length; i += 4) made.push(...few(latents.slice(i, i + 4)));
    return made.map((picture) => picture.map((value) => Math.min(1, Math.max(-1, value))));
  };
}

/** A linear map of one row of numbers: too small to be worth a call of product.wat. */
function column({ weight, bias }, row) {
  const [rows, channels] = weight.shape;
  return Float32Array.from({ length: rows }, (_, r) => {
    let sum = bias.data[r];
    for (let c = 0, i = r * channels; c < channels; c++, i++) sum += weight.data[i] * row[c];
    return sum;
  });
}

/** The pictures of a map, each by itself, outside the heap. */
function apart({ data, channels, n, side }) {
  const places = side ** 2;
  return Array.from({ length: n }, (_, picture) => {
    const out = new Float32Array(channels * places);
    for (let c = 0; c < channels; c++) {
      const from = (c * n + picture) * places;
      out.set(data.subarray(from, from + places), c * places);
    }
    return out;
  });
}
