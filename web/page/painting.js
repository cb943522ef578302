// The painter in a worker of its own, so that the page stays awake; its answers as promises.

/** Start it with one of the U-Nets; `heard` gets {bytes} and {ready} while it loads. Returns
 * paint(settings, seen): `seen` gets the picture, the promise {picture}, or the way, {film, guesses, places}.
 * Rejects with a sentence. */
export function startPainter(heard = () => {}, name = "postcards") {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name });
  const asked = new Map();
  let [last, fatal] = [0, null];

  function end(problem) {
    fatal = new Error(problem);
    for (const { reject } of asked.values()) reject(fatal);
  }
  worker.onerror = () => end("The painter stopped. Reload the page.");
  worker.onmessage = ({ data }) => {
    if (!data.id) return data.problem ? end(data.problem) : heard(data);
    const { film, seen, resolve, reject } = asked.get(data.id);
    if (data.picture) seen(data.picture);
    if (data.picture && film) return;
    asked.delete(data.id);
    if (data.problem) reject(new Error(data.problem));
    else resolve(data);
  };
  return (settings, seen = () => {}) => new Promise((resolve, reject) => {
    if (fatal) return reject(fatal);
    asked.set((last += 1), { film: settings.film, seen, resolve, reject });
    worker.postMessage({ id: last, settings });
  });
}
