// From a prompt to a picture: the parts of the model, loaded and put together. It runs in a worker of
// its own, so that the page stays awake while it paints.

import { Heap, readWeights } from "./heap.js";
import { layersOn, plainFunctions } from "./layers.js";
import { captionEncoder, decoder, textUNet } from "./networks.js";
import { randn } from "./noise.js";
import { reader } from "./reading.js";
import { walk } from "./walk.js";

const MODELS = ["captions", "postcards", "autoencoder"];
const ENCODER = /^(stem|down|to_latent)\./; // the half of the autoencoder that is not needed here
const NUMBERS = 256; // of a latent

/** Fetch a file of the site, telling `heard` how many bytes have come. */
async function fetched(name, heard) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} could not be loaded (${answer.status}). Reload the page.`);
  const parts = [];
  for (const stream = answer.body.getReader(); ;) {
    const { done, value } = await stream.read();
    if (done) break;
    parts.push(value);
    heard(value.length);
  }
  return new Blob(parts).arrayBuffer();
}

/** The fastest functions that this browser can run: see build.py and product.wat. */
export async function functionsOf(heap) {
  for (const name of ["product-relaxed.wasm", "product.wasm"]) {
    const bytes = await fetched(name, () => {});
    if (!WebAssembly.validate(bytes)) continue;
    const { instance } = await WebAssembly.instantiate(bytes, { page: { memory: heap.memory } });
    return instance.exports;
  }
  return plainFunctions(heap);
}

/** Load everything; heard(bytes) is called as they come. Returns paint, tokenise, and the networks. */
export async function load(heard = () => {}, fast = true) {
  const json = async (name) => JSON.parse(new TextDecoder().decode(await fetched(name, () => {})));
  const [about, vocabulary, ...files] = await Promise.all([
    json("model.json"), json("vocabulary.json"),
    ...MODELS.map((name) => fetched(`weights/${name}.safetensors`, heard)),
  ]);
  const [captions, postcards, autoencoder] = files.map(readWeights);
  const heap = new Heap([captions, postcards, autoencoder.filter(({ name }) => !ENCODER.test(name))]);
  const layers = layersOn(heap, fast ? await functionsOf(heap) : plainFunctions(heap));
  const [words, unet, pictures] = heap.files;
  const encode = captionEncoder(words, layers);
  const ask = textUNet(unet, layers);
  const decode = decoder(pictures, layers, about.scaling_factor);
  const { tokenise } = reader(vocabulary);
  const contexts = new Map(); // of the last prompts

  function contextOf(prompt) {
    if (!contexts.has(prompt)) {
      if (contexts.size === 8) contexts.delete(contexts.keys().next().value);
      contexts.set(prompt, encode(tokenise(prompt)));
    }
    return contexts.get(prompt);
  }

  /** Paint; return {latents, guesses}: before each step and at the end; what was guessed there. */
  function paint({ prompt, seed, steps, scale }) {
    const [context, away] = [contextOf(prompt), contextOf("")];
    const walked = [...walk(ask, randn(NUMBERS, seed), steps, scale, context, away)];
    const { x_next: end } = walked.at(-1);
    return {
      latents: [...walked.map(({ x_t }) => x_t), end],
      guesses: [...walked.map(({ x_0 }) => x_0), end],
    };
  }

  return { paint, decode, encode, ask, tokenise };
}

/** A picture (3, 64, 64) in [-1, 1] as bytes of RGBA; halves are rounded to even, as torch does. */
export function pixels(picture) {
  const count = picture.length / 3;
  const bytes = new Uint8ClampedArray(4 * count).fill(255);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) bytes[4 * i + c] = (picture[c * count + i] + 1) * 127.5;
  }
  return bytes;
}
