// Shared parts of the course's widgets. Python puts this text in front of each widget's own file,
// so that what the page gets is one ES module.

const PAGE = Math.random().toString(36).slice(2, 8);
let ids = 0;
const idOf = (what) => `dl-${PAGE}-${what}-${(ids += 1)}`;

/** An HTML element with properties, attributes (under `attrs`) and children. */
function make(tag, { attrs = {}, ...props } = {}, children = []) {
  const node = Object.assign(document.createElement(tag), props);
  for (const [name, value] of Object.entries(attrs)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** An SVG element with attributes and with children, or a text. */
function draw(tag, attrs = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attrs)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Put a widget into the page; the function returned takes it away again. */
function mount(el, root, leave = () => {}) {
  el.append(root);
  return () => {
    leave();
    root.remove();
  };
}

/** Keys pressed on `control` stay its own: JupyterLab would move the cell with arrows, cut it with x. */
function ownKeys(control) {
  control.setAttribute("data-lm-suppress-shortcuts", "true");
  control.addEventListener("keydown", (event) => event.stopPropagation());
  return control;
}

/** A view of the bytes that a host hands over as DataView, ArrayBuffer or typed array. */
function bytesOf(buffer) {
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** float32 numbers from bytes; copied, since the bytes may not be aligned. */
function floatsOf(buffer) {
  return new Float32Array(bytesOf(buffer).slice().buffer);
}

/** Put the RGB picture with number `frame` on a canvas, which takes its size. */
function paint(canvas, { width, height, data }, frame = 0) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const [pen, rgb] = [canvas.getContext("2d"), bytesOf(data)];
  const image = pen.createImageData(width, height);
  const pixels = image.data;
  for (let i = 0, j = frame * width * height * 3; i < pixels.length; i += 4, j += 3) {
    pixels[i] = rgb[j];
    pixels[i + 1] = rgb[j + 1];
    pixels[i + 2] = rgb[j + 2];
    pixels[i + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
}

/** Put the first `count` pictures on canvases, the only children of `node`. */
function paintAll(node, pictures, count = pictures.count) {
  while (node.childElementCount > count) node.lastChild.remove();
  while (node.childElementCount < count) node.append(make("canvas"));
  [...node.children].forEach((canvas, i) => paint(canvas, pictures, i));
}

/** A canvas under a caption. */
function framed(kind, caption) {
  const canvas = make("canvas", { attrs: { role: "img" } });
  return {
    canvas,
    node: make("figure", { className: kind }, [canvas, make("figcaption", { textContent: caption })]),
  };
}

/** Pictures side by side, with a caption under each where an answer has some. */
function pictureRow() {
  const node = make("div", { className: "dl-gallery" });
  return {
    node,
    put({ alt, captions, ...pictures }) {
      node.setAttribute("role", captions.length ? "group" : "img");
      node.setAttribute("aria-label", alt);
      node.classList.toggle("dl-many", pictures.count > 3);
      if (!captions.length) return paintAll(node, pictures);
      const figures = captions.map((caption) => framed("dl-captioned", caption));
      figures.forEach(({ canvas }, i) => {
        paint(canvas, pictures, i);
        canvas.setAttribute("aria-label", `${alt}: ${captions[i]}`);
      });
      node.replaceChildren(...figures.map((figure) => figure.node));
    },
  };
}

/** A number as one would say it: three digits, powers of ten where it is very large or small. */
function numberWords(value) {
  if (!Number.isFinite(value)) return value > 0 ? "infinite" : "not defined";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) {
    const [digits, power] = value.toExponential(1).split("e");
    return `${digits} × 10${raised(Number(power))}`.replace(/^-/, "−");
  }
  return String(Number(value.toPrecision(size >= 1000 ? 4 : 3))).replace("-", "−");
}

function raised(power) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return [...String(power)].map((sign) => (sign === "-" ? "⁻" : digits[sign])).join("");
}

/** A slider: native range, label, the value in words. `words` has one text per stop; `restock` puts
 * other stops in their place. */
function slider(name, words, start, moved, rested = () => {}) {
  const id = idOf("slider");
  const input = ownKeys(make("input", { type: "range", id, attrs: { min: 0, step: 1 } }));
  const value = make("span", { className: "dl-value", attrs: { "aria-hidden": "true" } });
  const control = {
    input,
    node: make("div", { className: "dl-slider" }, [
      make("label", { htmlFor: id, textContent: name }),
      input,
      value,
    ]),
    place: () => Number(input.value),
    put(place) {
      input.value = String(place);
      say();
    },
    restock(stops) {
      words = stops;
      input.max = stops.length - 1;
      say();
    },
  };
  function say() {
    value.textContent = words[control.place()];
    input.setAttribute("aria-valuetext", words[control.place()]);
  }
  input.addEventListener("input", () => {
    say();
    moved();
  });
  input.addEventListener("change", rested);
  control.restock(words);
  control.put(start);
  return control;
}

/** One of a few options as native radio buttons in a fieldset; `start` -1 chooses none. */
function radios(name, words, start, moved) {
  const group = idOf("radios");
  const inputs = words.map((word, place) => {
    const attrs = { type: "radio", name: group, id: `${group}-${place}`, value: String(place) };
    const input = ownKeys(make("input", attrs));
    input.addEventListener("change", moved);
    return input;
  });
  const control = {
    inputs,
    node: make("fieldset", { className: "dl-radios" }, [
      make("legend", { textContent: name }),
      ...inputs.map((input, place) =>
        make("label", { htmlFor: input.id }, [input, make("span", { textContent: words[place] })]),
      ),
    ]),
    place: () => inputs.findIndex((input) => input.checked),
    put(place) {
      inputs.forEach((input, i) => (input.checked = i === place));
    },
  };
  control.put(start);
  return control;
}

/** The number that somebody typed, or NaN, as `arguments.typed` reads it: with a decimal point or
 * comma, signs of any kind, and spaces; "1,000", "1.000.000" and "1.000,5" have thousands in them. */
function numberIn(text) {
  let plain = text.replace(/[\s'’_]/g, "").replace(/[−–‐‑﹣－]/g, "-").replace(/＋/g, "+");
  if (/^[-+]?[1-9]\d{0,2}((\.\d{3})+,\d*|(\.\d{3}){2,})$/.test(plain)) plain = plain.replaceAll(".", "");
  else if (/^[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/.test(plain)) plain = plain.replaceAll(",", "");
  plain = plain.replace(/,/g, ".");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

/** A line of text with its label. */
function textField(name, start = "", attrs = {}) {
  const id = idOf("text");
  const input = ownKeys(make("input", { type: "text", id, value: start, attrs }));
  return {
    input,
    node: make("div", { className: "dl-text" }, [make("label", { htmlFor: id, textContent: name }), input]),
    place: () => input.value,
    put: (text) => (input.value = text),
  };
}

/** A push button that keeps its keys. */
function button(text, pressed, className = "") {
  const node = ownKeys(make("button", { type: "button", textContent: text, className }));
  node.addEventListener("click", pressed);
  return node;
}

const PLAY_MS = 280; // between two stops while playing: under four changes a second, no flashing

/** Play the stops of a slider by `go(stop)`, or with reduced motion one stop per press. It stops by
 * itself at the last one, and where a hand is laid on the slider. */
function player({ input, place }, go, pace = PLAY_MS) {
  const atEnd = () => place() === Number(input.max);
  const step = () => go(place() + 1);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;
  const node = button("", () => {
    if (timer) return pause();
    if (atEnd()) go(0);
    else step();
    run();
  });
  const run = () => {
    if (!calm.matches) timer = setInterval(() => (atEnd() ? pause() : step()), pace);
    name();
  };
  const name = () => (node.textContent = calm.matches ? "Next stop" : timer ? "Pause" : "Play");
  const pause = () => {
    clearInterval(timer);
    timer = 0;
    name();
  };
  calm.addEventListener("change", pause);
  for (const hand of ["pointerdown", "keydown"]) input.addEventListener(hand, pause);
  name();
  const leave = () => {
    pause();
    calm.removeEventListener("change", pause);
  };
  /** From the first stop to the last; with reduced motion nothing moves by itself. */
  const fromStart = () => {
    pause();
    if (calm.matches) return;
    go(0);
    run();
  };
  return { node, pause, fromStart, leave };
}
