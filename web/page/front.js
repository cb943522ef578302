// The front page: words, seed and guidance in, a picture out, and its way from noise to look at.

import { numberIn } from "./parts.js";
import { withTexts } from "./png.js";

const SIDE = 64;
const MOVING_STEPS = 6; // while the slider moves, fewer steps do
const STEP_MS = 140; // between two places on the way
const LARGEST_SEED = 2 ** 32 - 1;
const $ = (id) => document.getElementById(id);

const about = await (await fetch("model.json")).json();
const USUAL = { prompt: about.suggestions[0], seed: 0, scale: about.guidance };
const worker = new Worker("worker.js", { type: "module" });
let [next, waiting, busy, asked, shown] = [null, 0, true, 0, null];

// ---- settings: fields, and the link that carries them

function fromLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  const [seed, scale] = [Number(link.get("seed") ?? USUAL.seed), Number(link.get("guidance") ?? USUAL.scale)];
  return {
    prompt: link.get("prompt") ?? USUAL.prompt,
    seed: Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED ? seed : USUAL.seed,
    scale: scale >= 0 && scale <= 10 ? scale : USUAL.scale,
  };
}

function show({ prompt, seed, scale }) {
  $("prompt").value = prompt;
  $("seed").value = seed;
  $("guidance").value = scale;
  sayGuidance();
}

/** Return what the fields say; throws a sentence where that makes no sense. */
function settings() {
  const prompt = $("prompt").value.trim();
  if (!prompt) throw new Error(about.problems.prompt);
  const text = $("seed").value.trim();
  const seed = numberIn(text);
  if (!Number.isInteger(seed) || seed < 0 || seed > LARGEST_SEED) {
    throw new Error(about.problems.seed.replace("?", () => text));
  }
  return { prompt, seed, scale: Number($("guidance").value) };
}

const linkOf = ({ prompt, seed, scale }) =>
  `${location.href.split("#")[0]}#${new URLSearchParams({ prompt, seed, guidance: scale })}`;

function sayGuidance() {
  const scale = Number($("guidance").value);
  const words = scale === 0 ? "the words are ignored" : scale === 1 ? "off" : "";
  $("guidance-said").textContent = `${scale}${words && `, ${words}`}`;
  $("guidance").setAttribute("aria-valuetext", $("guidance-said").textContent);
}

// ---- painting: one picture at a time; of what is asked meanwhile, the last counts

function draw(moving = false) {
  sayGuidance();
  try {
    next = { ...settings(), steps: moving ? Math.min(MOVING_STEPS, about.steps) : about.steps, film: !moving };
    say("");
  } catch (error) {
    say(error.message);
    next = null;
  }
  work();
}

function work() {
  if (busy || !next) return;
  const wanted = next;
  [busy, next, asked] = [true, null, asked + 1];
  waiting = { id: asked, settings: wanted, began: performance.now() };
  worker.postMessage({ id: asked, settings: wanted });
}

worker.onmessage = ({ data }) => {
  if (data.bytes) return load(data.bytes);
  if (data.fatal) return failed(data.problem);
  if (data.ready) ready();
  if (data.problem) say(`This could not be drawn. ${data.problem}`);
  if (data.picture) pictured(data.picture);
  if (data.film) filmed(data);
  if (data.ready || data.problem || data.film || (data.picture && !waiting.settings.film)) {
    busy = false;
    work();
  }
};
worker.onerror = () => failed("The painter stopped. Reload the page.");

function load(bytes) {
  $("loading").value += bytes;
}

function ready() {
  $("loading-row").hidden = true;
  document.body.dataset.ready = Math.round(performance.now());
}

function failed(problem) {
  $("loading-row").hidden = true;
  say(problem);
}

function say(text) {
  $("problem").textContent = text;
}

function paint(canvas, bytes) {
  canvas.getContext("2d").putImageData(new ImageData(bytes, SIDE), 0, 0);
}

function pictured(bytes) {
  const { settings: made, began } = waiting;
  shown = { ...made, bytes };
  stop();
  film = null;
  $("way").disabled = true;
  $("way").value = $("way").max;
  $("way-said").textContent = made.film ? "done" : "while you move";
  if (!made.film || still()) for (const id of ["held", "guess"]) paint($(id), bytes);
  $("held").setAttribute("aria-label", `A picture drawn for the words: ${made.prompt}`);
  $("took").textContent = `Drawn in this page, ${made.steps} steps in `
    + `${((performance.now() - began) / 1000).toFixed(2)} seconds.`;
  document.body.dataset.drawn = Number(document.body.dataset.drawn ?? 0) + 1;
  history.replaceState(null, "", linkOf(made));
}

// ---- the way from noise: it plays once, and can be walked by hand

let [film, playing] = [null, null];
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function filmed({ film: held, guesses }) {
  film = { held, guesses, prompt: waiting.settings.prompt };
  $("way").max = held.length - 1;
  $("way").disabled = false;
  if (still()) go(held.length - 1);
  else play(0);
}

/** Go on from a place to the end: each frame is much like the one before, so nothing flashes. */
function play(place) {
  go(place);
  playing = place < film.held.length - 1 ? setTimeout(() => play(place + 1), STEP_MS) : null;
}

function stop() {
  clearTimeout(playing);
  playing = null;
}

function go(place) {
  const last = film.held.length - 1;
  $("way").value = place;
  paint($("held"), film.held[place]);
  paint($("guess"), film.guesses[place]);
  const words = place ? `after step ${place} of ${last}` : "pure noise";
  $("way-said").textContent = words;
  $("way").setAttribute("aria-valuetext", words);
  $("held").setAttribute("aria-label", `${film.prompt}: in the model's hands, ${words}`);
  $("guess").setAttribute("aria-label", `${film.prompt}: its guess of the end, ${words}`);
}

// ---- buttons

async function save() {
  if (!shown) return;
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  paint(canvas, shown.bytes);
  const png = await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer();
  const file = withTexts(png, {
    prompt: shown.prompt, negative_prompt: "", seed: shown.seed, num_inference_steps: shown.steps,
    guidance_scale: shown.scale, Software: about.software,
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${shown.prompt.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 40)}.png`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copyLink() {
  const link = linkOf(shown ?? settings());
  $("link").value = link;
  $("link-row").hidden = false;
  $("link").select();
  try {
    await navigator.clipboard.writeText(link);
    $("copied").textContent = "Copied.";
  } catch {
    $("copied").textContent = "Copy it from here.";
  }
}

function surprise() {
  const { surprises } = about;
  $("prompt").value = surprises[Math.floor(Math.random() * surprises.length)];
  $("seed").value = Math.floor(Math.random() * 10000);
  draw();
}

for (const text of about.suggestions) {
  const item = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  item.addEventListener("click", () => {
    $("prompt").value = text;
    draw();
  });
  $("suggestions").append(item);
}
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  draw();
});
for (const id of ["prompt", "seed"]) $(id).addEventListener("change", () => draw());
$("guidance").addEventListener("input", () => draw(true));
$("guidance").addEventListener("change", () => draw());
$("way").addEventListener("input", () => {
  stop();
  go(Number($("way").value));
});
$("surprise").addEventListener("click", surprise);
$("save").addEventListener("click", save);
$("share").addEventListener("click", () => copyLink().catch((error) => say(error.message)));
addEventListener("hashchange", () => {
  show(fromLink());
  draw();
});
$("loading").max = about.bytes;
worker.postMessage({ load: true });
show(fromLink());
draw();
