// Runs before a page's own script: notes keys, pictures and shifts, and paints by itself.
Object.assign(window, { key: 0, pictures: [], shift: 0, put: 0 });
const { putImageData } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.putImageData = function (...given) {
  window.put = performance.now();
  return putImageData.apply(this, given);
};
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
  const answer = (name) => new Promise((resolve) => {
    window.second.onmessage = ({ data }) => data[name] && resolve();
  });
  if (!window.second) {
    window.second = new Worker("worker.js", { type: "module", name: "postcards" });
    await answer("ready");
  }
  const began = performance.now();
  window.second.postMessage({ id: 1, settings });
  await answer("picture");
  return performance.now() - began;
};
