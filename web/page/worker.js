// The painter at work: {id, settings} come in; {bytes} and {ready} while it loads, then {id, picture},
// {id, film, guesses, places} or {id, problem} go out. `settings.film` asks for the way. The worker's name
// says which U-Net paints.

import { load, pixels } from "./painter.js";

const MOST_PLACES = 21; // on the way that are shown, as in studio.py

const loading = load((bytes) => postMessage({ bytes }), self.name);
loading.then(() => postMessage({ ready: true }), ({ message }) => postMessage({ problem: message }));

/** Places on a way of so many, evenly spread, both ends among them. */
function spread(count) {
  const most = Math.min(count, MOST_PLACES);
  return Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1)));
}

onmessage = async ({ data: { id, settings } }) => {
  const painter = await loading;
  try {
    const way = painter.paint(settings);
    postMessage({ id, picture: pixels(painter.decode(way.latents.slice(-1))[0]) });
    if (!settings.film) return;
    const places = spread(way.latents.length);
    const [film, guesses] = painter.frames(way, places);
    postMessage({ id, film, guesses, places });
  } catch (error) {
    const over = error.name === "RangeError"; // out of memory: no other prompt helps
    postMessage({ id: over ? 0 : id, problem: error.message });
  }
};
