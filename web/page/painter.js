// From a prompt to a picture: the parts of the model, loaded and put together. It runs in a worker of
// its own, so that the page stays awake while it paints.

import { Heap, readWeights } from "./heap.js";
import { layersOn, plainFunctions } from "./layers.js";
import { captionEncoder, decoder, textUNet } from "./networks.js";
import { randn } from "./noise.js";
import { reader } from "./reading.js";
import { walk } from "./walk.js";

const NUMBERS = 256; // of a latent

/** Fetch a file of the site, telling `heard` how many bytes have come. */
async function fetched(name, heard = () => {}) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} could not be loaded (${answer.status}). Reload the page.`);
  const counted = new TransformStream({
    transform(bytes, onwards) {
      heard(bytes.length);
      onwards.enqueue(bytes);
    },
  });
  return new Response(answer.body.pipeThrough(counted));
}

/** The fastest functions that this browser can run: see build.py and product.wat. */
export async function functionsOf(heap) {
  for (const name of ["product-relaxed.wasm", "product.wasm"]) {
    const bytes = await (await fetched(name)).arrayBuffer();
    if (!WebAssembly.validate(bytes)) continue;
    const { instance } = await WebAssembly.instantiate(bytes, { page: { memory: heap.memory } });
    return instance.exports;
  }
  return plainFunctions(heap);
}

/** Load everything, with a U-Net of this name; heard(bytes) is called as they come. Returns what paints,
 * and its parts. */
export async function load(heard = () => {}, unet = "postcards", fast = true) {
  const json = async (name) => (await fetched(name)).json();
  const weights = async (name) => (await fetched(`weights/${name}.safetensors`, heard)).arrayBuffer();
  const [about, vocabulary, ...files] = await Promise.all([
    json("model.json"), json("vocabulary.json"), ...["captions", unet, "autoencoder"].map(weights),
  ]);
  const heap = new Heap(files.map(readWeights));
  const layers = layersOn(heap, fast ? await functionsOf(heap) : plainFunctions(heap));
  const [captions, painter, autoencoder] = heap.nets;
  const encode = captionEncoder(captions, layers);
  const ask = textUNet(painter, layers);
  const decode = decoder(autoencoder, layers, about.scaling_factor);
  const { tokenise } = reader(vocabulary);
  const order = unet === "postcards" ? 2 : 1; // DPM-Solver++ of the first order is DDIM: a student walks so
  const contexts = new Map(); // of the last prompts

  function contextOf(prompt) {
    if (contexts.size === 8) contexts.clear();
    if (!contexts.has(prompt)) contexts.set(prompt, encode(tokenise(prompt)));
    return contexts.get(prompt);
  }

  /** Paint; return {latents, guesses}: before each step and at the end; what was guessed there. */
  function paint({ prompt, negative_prompt = "", seed, steps, scale }) {
    const [context, away] = [prompt, negative_prompt].map(contextOf);
    const walked = [...walk(ask, randn(NUMBERS, seed), steps, scale, context, away, order)];
    const row = (name) => [...walked.map((step) => step[name]), walked.at(-1).x_next];
    return { latents: row("x_t"), guesses: row("x_0") };
  }

  /** The pixels at places on a painted way: [those of what was held, those of what was guessed]. */
  function frames({ latents, guesses }, places = [...latents.keys()]) {
    return [latents, guesses].map((row) => decode(places.map((place) => row[place])).map(pixels));
  }

  return { paint, frames, decode, encode, ask, tokenise };
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
