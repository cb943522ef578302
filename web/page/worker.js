// The painter at work: {load} and then {id, settings} come in; {bytes}, {ready}, {id, picture},
// {id, film} or {id, problem} go out.

import { load, pixels } from "./painter.js";

let painter = null;

async function begin() {
  try {
    painter = await load((bytes) => postMessage({ bytes }));
    postMessage({ ready: true });
  } catch (error) {
    postMessage({ problem: String(error.message), fatal: true });
  }
}

function paint({ id, settings }) {
  try {
    const { latents, guesses } = painter.paint(settings);
    postMessage({ id, picture: pixels(painter.decode(latents.slice(-1))[0]) });
    if (!settings.film) return;
    const frames = painter.decode([...latents, ...guesses]).map(pixels);
    postMessage({ id, film: frames.slice(0, latents.length), guesses: frames.slice(latents.length) });
  } catch (error) {
    if (error.name === "RangeError") throw error;
    postMessage({ id, problem: error.message });
  }
}

onmessage = ({ data }) => (data.load ? begin() : paint(data));
