// Runs before the front page's own script: notes keys, pictures and shifts, and paints by itself.
Object.assign(window, { key: 0, pictures: [], shift: 0 });
addEventListener("keydown", (event) => { window.key = event.timeStamp; }, true);
new MutationObserver(() => window.pictures.push(performance.now()))
  .observe(document, { subtree: true, attributeFilter: ["data-drawn"] });
new PerformanceObserver((list) => {
  for (const { value } of list.getEntries()) window.shift += value;
}).observe({ type: "layout-shift", buffered: true });

window.visit = () => ({
  "first paint, ms": performance.getEntriesByName("first-contentful-paint")[0].startTime,
  "model ready, ms": Number(document.body.dataset.ready),
  "first picture, ms": window.pictures[0],
  "layout shift": window.shift,
});

/** Milliseconds of a picture in a worker of its own, asked as the page asks it. */
window.paintOne = async (settings) => {
  const answer = (asked, name) => new Promise((resolve) => {
    window.second.onmessage = ({ data }) => data[name] && resolve(data[name]);
    window.second.postMessage(asked);
  });
  if (!window.second) {
    window.second = new Worker("worker.js", { type: "module" });
    await answer({ load: true }, "ready");
  }
  const began = performance.now();
  await answer({ id: 0, settings }, "picture");
  return performance.now() - began;
};
