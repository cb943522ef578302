// The course's widgets in a page without Python: each is drawn by its own unchanged code, from the state
// in which the lesson left it. What Python would have answered, a kernel here does.

import { guess, guidance, plane, quiz, studio, typing } from "./kernels.js";

/** A widget's model, as anywidget has it. `kernel` hears what the page has changed since the last time;
 * `say` sets a trait as Python would. */
export function modelOf(traits) {
  const listeners = [];
  let changed = {};
  const model = {
    kernel: () => {},
    get: (name) => traits[name],
    set(name, value) {
      changed[name] = value;
      model.say(name, value);
    },
    say(name, value) {
      traits[name] = value;
      for (const [event, hear] of [...listeners]) if (event === `change:${name}`) hear();
    },
    save_changes() {
      const news = changed;
      changed = {};
      model.kernel(news);
    },
    on: (event, hear) => listeners.push([event, hear]),
    off: (event, hear) => listeners.splice(listeners.findIndex(([e, h]) => e === event && h === hear), 1),
  };
  return model;
}

const KERNELS = { guess, guidance, plane, quiz, studio, typing };
const hosted = new Map(); // by the id of its cell: {model, render} of a widget

/** Fetch the pictures and arrays of a lesson's widgets, one after the other. */
async function bytesOf(lesson) {
  const answer = await fetch(`${lesson}.bin`);
  if (!answer.ok) throw new Error(`its pictures could not be loaded (${answer.status})`);
  return new Response(answer.body.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

/** The array at its place; of pictures there may be differences of neighbours, which pack better. */
function arrayAt({ bytes: [begin, length], width }, all) {
  const array = new Uint8Array(all.slice(begin, begin + length));
  for (let i = 3; width && i < length; i++) if (i % (3 * width) >= 3) array[i] += array[i - 3];
  return array;
}

async function show(place, all) {
  const script = place.querySelector("script");
  const model = modelOf(JSON.parse(script.textContent, (_, value) => (value?.bytes ? arrayAt(value, all) : value)));
  await KERNELS[place.dataset.kernel]?.(model, place, hosted);
  const widget = await import(`./widgets/${place.dataset.widget}.js`);
  let leave = () => script.remove();
  function render() {
    leave();
    leave = widget.default.render({ model, el: place });
  }
  render();
  hosted.set(place.closest("section").id.replace("cell-id=", ""), { model, render });
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => (document.body.dataset.jpThemeLight = !dark.matches); // as JupyterLab tells its widgets
dress();
dark.addEventListener("change", dress);

const all = bytesOf(document.body.dataset.lesson);
for (const place of document.querySelectorAll(".widget")) {
  try {
    await show(place, await all);
  } catch (error) {
    place.append(`This could not be shown: ${error.message}. Reload the page.`);
    reportError(error); // and go on with the others
  }
}
document.body.dataset.alive = "true";
