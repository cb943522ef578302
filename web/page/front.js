// The front page: words, seed and guidance in, a picture out, and its way from noise to look at.

import { startPainter } from "./painting.js";
import { button, make, player } from "./parts.js";
import { withTexts } from "./png.js";
import { settingsOf } from "./settings.js";

const SIDE = 64;
const MOVING_STEPS = 6; // while the slider moves, fewer steps do
const STEP_MS = 140; // between two places on the way: each is much like the one before, so nothing flashes
const $ = (id) => document.getElementById(id);

const about = await (await fetch("model.json")).json();
const USUAL = { prompt: about.suggestions[0], seed: "0", guidance: String(about.guidance) };
const FIELDS = Object.keys(USUAL);
let [now, next, shown, film] = [null, null, null, null]; // settings being drawn and to be drawn; what is there

// ---- settings: fields, and the link that carries them

const typed = () => Object.fromEntries(FIELDS.map((id) => [id, $(id).value]));
const read = ({ guidance, ...typed }) => settingsOf(about.fields, { ...typed, steps: about.steps, scale: guidance });
const linkOf = ({ prompt, seed, scale }) =>
  `${location.href.split("#")[0]}#${new URLSearchParams({ prompt, seed, guidance: scale })}`;

/** Draw what the link says, and the usual things where it says nothing. */
function fromLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  for (const id of FIELDS) $(id).value = link.get(id) ?? USUAL[id];
  draw();
}

function sayGuidance() {
  const scale = Number($("guidance").value);
  $("guidance-said").textContent = scale + ({ 0: ", the words are ignored", 1: ", off" }[scale] ?? "");
  $("guidance").setAttribute("aria-valuetext", $("guidance-said").textContent);
}

// ---- painting: one picture at a time; of what is asked meanwhile, the last counts

function draw(moving = false) {
  sayGuidance();
  try {
    next = { ...read(typed()), film: !moving };
    if (moving) next.steps = Math.min(MOVING_STEPS, about.steps);
    say("");
  } catch ({ message }) {
    say(message);
    next = null;
  }
  if (JSON.stringify(next) === JSON.stringify(now)) next = null; // Enter is a change and a submit
  work();
}

async function work() {
  if (now || !next) return;
  const [wanted, began] = [next, performance.now()];
  [now, next] = [wanted, null];
  try {
    const way = await paint(wanted, (picture) => pictured(wanted, picture, performance.now() - began));
    if (way.film) filmed(wanted, way);
  } catch ({ message }) {
    $("loading-row").hidden = true;
    say(`This could not be drawn. ${message}`);
  }
  now = null;
  work();
}

const paint = startPainter(({ bytes = 0, ready }) => {
  $("loading").value += bytes;
  if (!ready) return;
  $("loading-row").hidden = true;
  document.body.dataset.ready = Math.round(performance.now());
});

const say = (text) => ($("problem").textContent = text);

function show(canvas, bytes, words) {
  $(canvas).getContext("2d").putImageData(new ImageData(bytes, SIDE), 0, 0);
  $(canvas).setAttribute("aria-label", words);
}

function pictured(made, bytes, ms) {
  shown = { ...made, bytes };
  film = null;
  play.pause();
  $("way").disabled = true;
  $("way").value = $("way").max;
  $("way-said").textContent = made.film ? "done" : "while you move";
  if (!made.film || still()) for (const id of ["held", "guess"]) show(id, bytes, `A picture of: ${made.prompt}`);
  $("took").textContent = `Drawn in this page, ${made.steps} steps in ${(ms / 1000).toFixed(2)} seconds.`;
  document.body.dataset.drawn = Number(document.body.dataset.drawn ?? 0) + 1;
  history.replaceState(null, "", linkOf(made));
}

// ---- the way from noise: it plays once, and can be walked by hand

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const play = player({ input: $("way"), place: () => Number($("way").value) }, go, STEP_MS);
$("way-buttons").append(play.node);

function filmed({ prompt }, way) {
  film = { ...way, prompt };
  $("way").max = way.film.length - 1;
  $("way").disabled = false;
  if (still()) go(way.film.length - 1);
  else play.fromStart();
}

function go(place) {
  if (!film) return;
  const words = place ? `after step ${film.places[place]} of ${film.places.at(-1)}` : "pure noise";
  $("way").value = place;
  $("way-said").textContent = words;
  $("way").setAttribute("aria-valuetext", words);
  show("held", film.film[place], `${film.prompt}: in the model's hands, ${words}`);
  show("guess", film.guesses[place], `${film.prompt}: its guess of the end, ${words}`);
}

// ---- buttons

async function save() {
  if (!shown) return;
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  canvas.getContext("2d").putImageData(new ImageData(shown.bytes, SIDE), 0, 0);
  const png = await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer();
  const file = withTexts(png, {
    prompt: shown.prompt, negative_prompt: "", seed: shown.seed, num_inference_steps: shown.steps,
    guidance_scale: shown.scale, Software: about.software,
  });
  const download = `${shown.prompt.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 40)}.png`;
  const link = make("a", { href: URL.createObjectURL(file), download });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copyLink() {
  $("link").value = linkOf(shown ?? read(typed()));
  $("link-row").hidden = false;
  $("link").select();
  const copied = await navigator.clipboard?.writeText($("link").value).then(() => true, () => false);
  $("copied").textContent = copied ? "Copied." : "Copy it from here.";
}

const anyOf = (count) => Math.floor(Math.random() * count);

function drawWords(prompt, seed = $("seed").value) {
  $("prompt").value = prompt;
  $("seed").value = seed;
  draw();
}

$("suggestions").append(...about.suggestions.map((text) => button(text, () => drawWords(text))));
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  draw();
});
for (const id of ["prompt", "seed"]) $(id).addEventListener("change", () => draw());
$("guidance").addEventListener("input", () => draw(true));
$("guidance").addEventListener("change", () => draw());
$("way").addEventListener("input", () => go(Number($("way").value)));
$("surprise").addEventListener("click", () => drawWords(about.surprises[anyOf(about.surprises.length)], anyOf(10000)));
$("save").addEventListener("click", save);
$("share").addEventListener("click", () => copyLink().catch(({ message }) => say(message)));
addEventListener("hashchange", fromLink);
$("loading").max = about.bytes;
fromLink();
