// The painter at work: {id, settings} come in; {bytes} and {ready} while it loads, then {id, picture},
// {id, film, guesses} or {id, problem} go out. `settings.film` asks for the whole way.

import { load, pixels } from "./painter.js";

const loading = load((bytes) => postMessage({ bytes }));
loading.then(() => postMessage({ ready: true }), ({ message }) => postMessage({ problem: message }));

onmessage = async ({ data: { id, settings } }) => {
  const painter = await loading;
  try {
    const { latents, guesses } = painter.paint(settings);
    postMessage({ id, picture: pixels(painter.decode(latents.slice(-1))[0]) });
    if (!settings.film) return;
    const frames = painter.decode([...latents, ...guesses]).map(pixels);
    postMessage({ id, film: frames.slice(0, latents.length), guesses: frames.slice(latents.length) });
  } catch (error) {
    if (error.name === "RangeError") throw error; // the worker is out of memory: no other prompt helps
    postMessage({ id, problem: error.message });
  }
};
