// What Python answers to the course's widgets, answered by the page: see diffusion_lessons/widgets.

import { startPainter } from "./painting.js";
import { button, bytesOf, make } from "./parts.js";
import { trainOn } from "./points.js";
import { grade } from "./quiz.js";
import { reader } from "./reading.js";
import { described, settingsOf } from "./settings.js";

const [SIDE, BYTES] = [64, 64 * 64 * 3]; // of a picture
const MOVING_STEPS = 6; // as lesson 05's slider has them
const MOST_KEPT = 24; // as in studio.py
const GALLERY = "diffusion-lessons-gallery";

const json = async (name) => (await fetch(name)).json();
const about = json("model.json");
const questions = json("quiz.json");
const parse = json("vocabulary.json").then((words) => reader(words).parse);
const painters = new Map(); // by U-Net
function paint(settings, name = "postcards") {
  if (!painters.has(name)) painters.set(name, startPainter(() => {}, name));
  return painters.get(name)(settings);
}

/** Pictures, RGBA, as the course's widgets take them: RGB, one after the other. */
function framed(pictures) {
  const data = new Uint8Array(pictures.length * BYTES);
  let at = 0;
  for (const rgba of pictures) {
    for (let i = 0; i < rgba.length; i += 4, at += 3) data.set(rgba.subarray(i, i + 3), at);
  }
  return { count: pictures.length, height: SIDE, width: SIDE, data };
}

/** Let `reply` answer one trait in another; what it throws is the problem beside the last good answer. */
function answering(model, reply, request = "request", answer = "answer") {
  const before = model.kernel;
  model.kernel = async (news) => {
    before(news);
    if (!news[request]) return;
    const found = await reply(news[request]).catch(({ message }) => ({ ...model.get(answer), problem: message }));
    model.say(answer, { ...found, id: news[request].id });
  };
}

/** Lesson 05's slider. */
export function guidance(model) {
  const stops = model.get("controls")[0].words;
  answering(model, async ({ places: [place, prompt, negative_prompt, seed] }) => {
    const scale = Number(stops[place]);
    const { picture } = await paint({ prompt, negative_prompt, seed, steps: MOVING_STEPS, scale });
    return { ...framed([picture]), alt: `painted for: ${prompt}`, captions: [], words: `s = ${scale}` };
  });
}

/** Lesson 07's student, which paints while one types; a word that is not finished does not count yet. */
export function typing(model) {
  const stops = model.get("controls")[1].words;
  answering(model, async ({ places: [typed, place, seed] }) => {
    const prompt = readable(await parse, typed);
    const steps = Number(stops[place]);
    const { picture } = await paint({ prompt, seed, steps, scale: 1 }, "postcards-turbo");
    const words = `${prompt || "anything"}: ${steps} calls`;
    return { ...framed([picture]), alt: prompt || "a postcard of anything", captions: [], words };
  });
}

/** The longest beginning of a text, in whole words, that has a meaning; "" at worst. */
function readable(parse, typed) {
  try {
    return typed && (parse(typed), typed);
  } catch {
    return readable(parse, typed.slice(0, Math.max(0, typed.lastIndexOf(" "))));
  }
}

/** The pictures that this browser has kept, the newest first. */
function kept() {
  try {
    const rows = JSON.parse(localStorage.getItem(GALLERY) ?? "[]");
    return rows.map(({ data, ...row }) => ({ ...row, data: Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0)) }));
  } catch {
    return []; // no storage here, or what is there is none of ours
  }
}

function keep(picture) {
  const row = ({ data, ...rest }) => ({ ...rest, data: btoa(String.fromCharCode(...data)) });
  try {
    localStorage.setItem(GALLERY, JSON.stringify([picture, ...kept()].slice(0, MOST_KEPT).map(row)));
  } catch {
    throw new Error("It was not saved: this browser's storage is full, or turned off.");
  }
}

/** The studio: any settings, the whole way, and a gallery that this browser keeps. */
export function studio(model) {
  const drawn = new Map([[model.get("answer").number, [model.get("answer"), model.get("request").places]]]);
  answering(model, async ({ places }) => {
    const [prompt, negative_prompt, seed, steps, scale] = places;
    const settings = settingsOf((await about).fields, { prompt, negative_prompt, seed, steps, scale });
    const began = performance.now();
    const { film, guesses, places: shown } = await paint({ ...settings, film: true });
    const number = model.get("answer").number + 1;
    const answer = {
      number,
      ...framed([...film, ...guesses]),
      places: ["pure noise", ...shown.slice(1).map((step) => `after step ${step} of ${settings.steps}`)],
      alt: `A picture drawn for the words: ${settings.prompt}`,
      words: described(settings),
      took: `Drawn in this page in ${((performance.now() - began) / 1000).toFixed(2)} seconds.`,
    };
    drawn.set(number, [answer, places]);
    drawn.delete(number - 2); // the page may still show the one before
    return answer;
  });
  answering(model, async ({ of }) => {
    const [{ data, places: { length }, words }, places] = drawn.get(of);
    const end = bytesOf(data).subarray((length - 1) * BYTES, length * BYTES);
    keep({ prompt: places[0], words, places, height: SIDE, width: SIDE, data: end });
    return { words: "Saved in this browser.", pictures: kept() };
  }, "keep", "kept");
  model.say("kept", { id: 0, words: "", pictures: kept() });
}

/** A quiz; the browser keeps what was answered of the fifteen. */
export async function quiz(model) {
  let store = null;
  try {
    store = localStorage;
  } catch {} // this browser refuses it: the quiz says so
  grade(model, await questions, document.body.dataset.lesson.slice(0, 2), store);
}

/** Lesson 03's drawing, with a button that trains on it where the notebook's cells show that. */
export function plane(model, place, hosted) {
  const said = make("span", { attrs: { role: "status" } });
  const train = button("Train on these points, in this page", async () => {
    const [watch, way] = ["watch", "learned-show"].map((cell) => hosted.get(cell));
    said.textContent = "It trains: see the loss below.";
    try {
      if (!(await trainOn(model, watch.model, way.model))) return; // another training took its place
      way.render();
      said.textContent = "It has learned your points: see below.";
    } catch ({ message }) {
      said.textContent = `This could not be trained: ${message}`;
    }
  });
  place.after(make("p", { className: "row train" }, [train, said]));
}

/** A guess: once it is committed, the cell that compares it says so, as `Guess.compare` does. */
export function guess(model, place) {
  const { guess: name } = place.closest("section").dataset;
  const found = document.querySelector(`[data-truth="${name}"] .output`);
  const reason = found.querySelector("details p");
  const truth = reason.querySelector("b").textContent;
  function verdict(said) {
    if (model.get("options")) return said === truth ? "✓ Right." : "Not this time.";
    const off = Math.abs(Number(said) - Number(truth));
    return off <= 0.1 * Math.abs(Number(truth)) ? "✓ Close." : `That is ${Number(off.toPrecision(3))} away.`;
  }
  model.kernel = ({ committed }) => {
    const said = make("b", { textContent: committed });
    const parts = ["You said ", said, `. ${verdict(committed)} `, ...reason.cloneNode(true).childNodes];
    found.replaceChildren(make("p", { attrs: { role: "status" } }, parts));
  };
}
