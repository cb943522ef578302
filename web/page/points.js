// Lesson 03's training on a drawing, shown as its cells `fit`, `watch` and `learned-show` show it.

const [BINS, SLOTS, SEND_MS] = [120, 8, 200]; // as in widgets/watch.py
const { fround } = Math; // as torch rounds, so that the training is Python's
const words = (number) => number.toLocaleString("en");
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
let replace = () => {}; // ends the training that runs

/**
 * Train on the drawing of `plane`; show the training on `watch`, and at last the way to the drawing on `scrub`, to
 * be rendered anew. All are models. True at the end, false if another training took the place; rejects bad drawings.
 */
export async function trainOn(plane, watch, scrub) {
  const points = fitted(plane.get("drawn"));
  replace();
  const [news, total] = [watching(watch), watch.get("total")];
  const worker = new Worker(new URL("points-worker.js", import.meta.url), { type: "module" });
  const way = await new Promise((resolve, reject) => {
    replace = () => resolve(null);
    worker.onerror = ({ message }) => reject(new Error(`The training failed. Reload the page. ${message ?? ""}`));
    worker.onmessage = ({ data: { step, loss, way } }) => {
      const stage = way && { kind: "points", caption: `${step} steps`, data: way.cloud, behind: points };
      news.step(loss, stage);
      if (step === total) resolve(way);
    };
    worker.postMessage(points);
  }).finally(() => worker.terminate());
  if (!way) return false;
  news.send(`Done: ${words(total)} steps.`);
  const [{ behind, ...panel }] = scrub.get("panels");
  scrub.say("words", [way.words]);
  scrub.say("index", 0);
  scrub.say("panels", [{ ...panel, data: way.data, reach: way.reach, behind: { ...behind, data: points } }]);
  return true;
}

/** The points x, y, x, y... of a drawing, whose longer side then goes from -1.8 to 1.8. */
function fitted(drawn) {
  if (drawn.length < 4) {
    const hint = "draw two or more in the square above, or press one of the shapes below it";
    throw new Error(`the drawing has ${drawn.length / 2} points: ${hint}`);
  }
  const points = Float32Array.from(drawn);
  const axes = [0, 1].map((axis) => points.filter((_, i) => i % 2 === axis));
  const [low, high] = [Math.min, Math.max].map((end) => axes.map((values) => end(...values)));
  const middle = low.map((end, axis) => fround(end + high[axis]) / 2);
  const size = fround(Math.max(0.1, high[0] - low[0], high[1] - low[1]));
  return points.map((value, i) => fround(fround(3.6) * fround(value - middle[i % 2])) / size);
}

/** Show a training as widgets/watch.py does. */
function watching(model) {
  const [total, began, losses, stages] = [model.get("total"), performance.now(), [], []];
  const before = Math.max(0, ...model.get("stages").map(({ number }) => number ?? 0)); // watch.js has drawn those
  let [first, sent, quarter, spoken] = [0, -Infinity, 0, ""];
  function say(step, now) {
    model.say("progress", { step, words: now, spoken });
    model.say("curve", curve(losses, Math.ceil(total / BINS)));
    model.say("stages", [...stages, ...Array(SLOTS - stages.length).fill({})]);
  }
  function left(now, steps) {
    if (steps < 3 || now - first < 1000 || losses.length === total) return "";
    const rest = ((now - first) / steps) * (total - losses.length);
    return `, about ${about(now - began + rest)} in all, ${about(rest)} left`;
  }
  function send(ended) {
    const [step, now, reached] = [losses.length, performance.now(), Math.floor((4 * losses.length) / total)];
    const rest = left(now, step - 1);
    if (ended) spoken = `${ended} It took ${about(now - began)}.`;
    else if (!spoken || (quarter < reached && reached < 4)) spoken = `${25 * reached} % done${rest}`;
    [quarter, sent] = [reached, now];
    say(step, ended ? spoken : `step ${words(step)} of ${words(total)}${rest}`);
  }
  function step(loss, stage) {
    first ||= performance.now(); // the first step is slow, so left out
    losses.push(loss);
    if (stage) stages.push({ number: before + stages.length + 1, ...stage });
    if (stage || performance.now() - sent >= SEND_MS) send();
  }
  say(0, "waiting for the first step");
  return { step, send };
}

/** Milliseconds as in speech: 7 s, 45 s, 3 min. */
function about(ms) {
  if (ms < 20_000) return `${Math.round(ms / 1000)} s`;
  return ms < 120_000 ? `${5 * Math.round(ms / 5000)} s` : `${Math.round(ms / 60_000)} min`;
}

/** The middle step, mean, lowest and highest of each so many losses. */
function curve(losses, each) {
  const count = Math.ceil(losses.length / each);
  const places = Array.from({ length: count }, (_, i) => losses.slice(i * each, (i + 1) * each));
  const parts = { mean, low: (place) => Math.min(...place), high: (place) => Math.max(...place) };
  parts.steps = (place, i) => i * each + (place.length + 1) / 2;
  return Object.fromEntries(Object.entries(parts).map(([name, of]) => [name, Float32Array.from(places, of)]));
}

/** What widgets show of a way to the drawing: see panels.py. */
export function shown(way, points) {
  const data = Float32Array.from(way.flatMap((stop) => [...stop]));
  const sizes = Float32Array.from([...data, ...points], Math.abs).sort();
  const reach = Math.max(0.5, Math.ceil(2 * sizes[Math.round(0.98 * (sizes.length - 1))]) / 2);
  const far = way.map((stop) => `from a point to the drawing: ${gap(stop, points).toFixed(2)} on average`);
  return { data, reach, words: far, cloud: way.at(-1) };
}

/** How far points are from the nearest ones of the drawing, on average. */
function gap(places, points) {
  const nearest = Array.from({ length: places.length / 2 }, (_, i) => {
    let least = Infinity;
    for (let j = 0; j < points.length; j += 2) {
      least = Math.min(least, (places[2 * i] - points[j]) ** 2 + (places[2 * i + 1] - points[j + 1]) ** 2);
    }
    return Math.sqrt(least);
  });
  return mean(nearest);
}
