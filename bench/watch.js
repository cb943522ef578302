// Started with a slider: window.watch.took becomes the milliseconds from the last key to new pictures.
(slider) => {
  const cell = slider.closest(".jp-Cell");
  const small = new OffscreenCanvas(96, 96).getContext("2d", { willReadFrequently: true });

  /** A hash of all pictures of the cell, or null while one is missing or not decoded yet. */
  function look() {
    const all = [...cell.querySelectorAll("canvas, .jp-OutputArea-output img")];
    const missing = (n) => n.localName === "img" && !(n.complete && n.naturalWidth);
    if (all.length === 0 || all.some(missing)) return null;
    return all
      .map((n) => {
        small.drawImage(n, 0, 0, 96, 96);
        return small.getImageData(0, 0, 96, 96).data.reduce((sum, v) => (sum * 31 + v) | 0, 0);
      })
      .join();
  }

  const watch = (window.watch = { took: null });
  let before = look();
  let start = null;

  function check() {
    if (start === null) return;
    const now = performance.now(); // before looking, which itself takes time
    const seen = look();
    if (seen === null || seen === before) return;
    watch.took = now - start;
    before = seen;
    start = null;
  }
  function key(event) {
    start = event.timeStamp;
    watch.took = null;
  }
  function everyFrame() {
    check();
    if (!watch.off) requestAnimationFrame(everyFrame);
  }
  requestAnimationFrame(everyFrame);
  const changes = new MutationObserver(check);
  changes.observe(cell, { subtree: true, childList: true, attributes: true, characterData: true });
  document.addEventListener("keydown", key, true);
  cell.addEventListener("load", check, true);
  watch.end = () => {
    watch.off = true;
    changes.disconnect();
    document.removeEventListener("keydown", key, true);
    cell.removeEventListener("load", check, true);
  };
};
