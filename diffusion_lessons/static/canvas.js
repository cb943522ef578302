// A canvas: a part of a picture to repaint, or an outline to follow, and the kernel's answer to it.
// The marks belong to the page while a hand is at work; Python hears of them after each stroke and key.

const SIDE = 64; // pixels each way
const BRUSH = 3.5; // radius of the round brush and of the eraser, in pixels
const PLACE = 8; // pixels to a place of the latents, each way

const MARK = {
  title: "What is to be repainted?",
  question: "The whole picture, in words",
  go: "Repaint",
  done: "marked",
  start: { x: 24, y: 24, width: 16, height: 16, step: 2 },
  help: "Paint over a part, with some room around it, by mouse, pen or finger. Or by keyboard: arrow keys move a " +
    "rectangle, with Shift they change its size, Space or Enter marks what it holds.",
};
const SKETCH = {
  title: "Draw an outline",
  question: "The picture, in words",
  go: "Draw",
  done: "drawn",
  start: { x: 32, y: 32, width: 1, height: 1, step: 1 },
  help: "Draw by mouse, pen or finger. Or by keyboard: Space or Enter puts the pen down or lifts it, arrow keys move it.",
};

/** Marks, an array of 0 and 1, as base64 of their bits; and back. */
function toBits(marks) {
  let bytes = "";
  for (let i = 0; i < marks.length; i += 8) bytes += String.fromCharCode(parseInt(marks.slice(i, i + 8).join(""), 2));
  return btoa(bytes);
}
function fromBits(bits) {
  return Uint8Array.from([...atob(bits)].flatMap((byte) => [...byte.charCodeAt(0).toString(2).padStart(8, "0")]));
}

const column = (i, count = SIDE) => i % count;
const row = (i, count = SIDE) => Math.floor(i / count);
const limited = (value, low, high) => Math.min(high, Math.max(low, value));
const square = (x, y, width, height = width) => `M${x} ${y}h${width}v${height}h${-width}z`;
/** A path of squares, those with the numbers `some` among `count` in a row. */
const squares = (some, count) =>
  some.map((i) => square((SIDE / count) * column(i, count), (SIDE / count) * row(i, count), SIDE / count)).join("");

const SIDES = [[-1, 0, "v1"], [1, 0, "m1 0v1"], [0, -1, "h1"], [0, 1, "m0 1h1"]];
/** A path along the edge of the marked pixels, those with the numbers `on`. */
function edgePath(marks, on) {
  const free = (x, y) => Math.min(x, y) < 0 || Math.max(x, y) >= SIDE || !marks[y * SIDE + x];
  const sides = (x, y) =>
    SIDES.filter(([right, down]) => free(x + right, y + down)).map(([, , side]) => `M${x} ${y}${side}`);
  return on.flatMap((i) => sides(column(i), row(i))).join("");
}

/** The places of the latents that hold a marked pixel, and those beside them: what `latent_mask` in
 * Python calls 0 and 0.5. */
function placesOf(on) {
  const across = SIDE / PLACE;
  const held = [...new Set(on.map((i) => across * row(row(i), PLACE) + row(column(i), PLACE)))];
  const apart = (a, b, which) => Math.abs(which(a, across) - which(b, across));
  const touch = (a) => held.some((b) => apart(a, b, column) < 2 && apart(a, b, row) < 2);
  const beside = [...Array(across ** 2).keys()].filter((a) => !held.includes(a) && touch(a));
  return [held, beside];
}

/** A line that is seen on any picture, white within black. */
function twoLines(kind, dashes) {
  const paths = [["black", 0.9, "none"], ["white", 0.5, dashes]].map(([stroke, width, dash]) =>
    draw("path", { fill: "none", stroke, "stroke-width": width, "stroke-dasharray": dash }));
  const put = (d) => paths.forEach((path) => path.setAttribute("d", d));
  return { node: draw("g", { class: kind }, ...paths), put };
}

/** What shows a picture's marks: the places of the latents below them, their edge; and a key to both. */
function markingOf(picture) {
  const canvas = make("canvas");
  paint(canvas, picture);
  const hatch = draw("pattern",
    { id: idOf("hatch"), width: 2, height: 2, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    draw("path", { d: "M.6 0v2", stroke: "white", "stroke-width": 0.4 }),
    draw("path", { d: "M1 0v2", stroke: "black", "stroke-width": 0.4 }));
  const looks = [
    { fill: "white", "fill-opacity": 0.4, stroke: "black", "stroke-width": 0.15 },
    { fill: `url(#${hatch.id})`, "fill-opacity": 0.8 },
  ];
  const [whole, half] = looks.map((look) => draw("path", look));
  const edge = twoLines("dl-edge", "none");
  const corner = twoLines("", "none");
  corner.put("M1 4V1h6");
  const signs = [corner.node, ...looks.map((look) => draw("path", { ...look, d: square(0, 0, 7, 4) }))];
  const ground = () => draw("path", { fill: "gray", d: square(0, 0, 7, 4) });
  const swatch = { class: "dl-swatch", viewBox: "0 0 7 4", "aria-hidden": "true" };
  const words = ["your mark", "repainted", "beside it, until t = 0.5"];
  return {
    nodes: [hatch, draw("image", { href: canvas.toDataURL(), width: SIDE, height: SIDE }), whole, half, edge.node],
    key: [keyRow(signs.map((sign, i) => [draw("svg", swatch, ground(), sign), words[i]]))],
    put(marks, on) {
      const [held, beside] = placesOf(on);
      edge.put(edgePath(marks, on));
      whole.setAttribute("d", squares(held, SIDE / PLACE));
      half.setAttribute("d", squares(beside, SIDE / PLACE));
      return ` Repainted: ${held.length} of 64 places of the latents, and ${beside.length} beside them until t = 0.5.`;
    },
  };
}

/** What shows an outline. */
function outlineOf() {
  const line = draw("path", { class: "dl-outline" });
  const put = (_, on) => {
    line.setAttribute("d", squares(on, SIDE));
    return "";
  };
  return { nodes: [line], key: [], put };
}

/** What holds for the pixels within `radius` of the line from one pixel to another. */
function near([x, y], [toX, toY], radius) {
  const [right, below] = [toX - x, toY - y];
  return (u, v) => {
    const along = limited(((u - x) * right + (v - y) * below) / (right ** 2 + below ** 2 || 1), 0, 1);
    return Math.hypot(u - x - along * right, v - y - along * below) <= radius;
  };
}

/** How much is marked, and where. */
function summary(on, done) {
  if (!on.length) return `Nothing is ${done} yet.`;
  const lines = [on.map((i) => column(i)), on.map((i) => row(i))];
  const [[left, right], [top, bottom]] = lines.map((all) => [Math.min(...all), Math.max(...all)]);
  const [width, height] = [right - left + 1, bottom - top + 1];
  const size = on.length === width * height ? `${width} x ${height}` : on.length;
  return `${size} pixels are ${done}, columns ${left} to ${right}, rows ${top} to ${bottom}.`;
}

/** The canvas with its tools, which tells Python of every change. */
function easel(model, way, view) {
  const marking = way === MARK;
  const past = []; // the marks before each change
  let marks = fromBits(model.get("bits"));
  let last = null; // the newest pixel of a stroke
  let [erasing, down] = [false, false];
  let { x, y, width, height, step } = way.start; // the rectangle that the keys move, or the pen, one pixel

  const hair = twoLines("dl-reach", marking ? "1.2 1.2" : "none");
  const svg = draw("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", class: "dl-plane" }, ...view.nodes, hair.node);
  const status = make("p", { className: "dl-now", attrs: { role: "status" } });
  const also = "Backspace takes the last change back, Delete clears all.";
  const help = make("p", { className: "dl-words", id: idOf("help"), textContent: `${way.help} ${also}` });
  const on = () => [...marks.keys()].filter((i) => marks[i]);
  function show(words) {
    const [places, said] = [view.put(marks, on()), summary(on(), way.done)];
    const room = marking ? 0 : down ? 1 : 2; // a single pixel stays in sight within
    hair.put(square(x - room, y - room, width + 2 * room, height + 2 * room));
    svg.setAttribute("aria-label", said);
    status.textContent = words ?? (on().length ? said + places : said);
  }
  function tell(words) {
    show(words);
    model.set("bits", toBits(marks));
    model.save_changes();
  }
  const remember = () => past.push(marks);
  /** Mark the pixels for which `held` is true, or erase them. */
  function set(held, value = Number(!erasing)) {
    marks = marks.map((one, i) => (held(column(i), row(i)) ? value : one));
  }
  const line = (from, to) => set(near(from, to, marking || erasing ? BRUSH : 0.5));
  function change(...given) {
    remember();
    set(...given);
    tell();
  }
  function undo() {
    if (!past.length) return show("There is no change to take back.");
    marks = past.pop();
    tell();
  }
  function clear() {
    if (on().length) change(() => true, 0);
    else show(`There is nothing to clear: nothing is ${way.done}.`);
  }

  const where = () => marking
    ? `Rectangle of ${width} x ${height} pixels, columns ${x} to ${x + width - 1}, rows ${y} to ${y + height - 1}.`
    : `The pen is ${down ? "down" : "up"} at column ${x}, row ${y}.`;
  function move(right, below) {
    const before = [x, y];
    x = limited(x + right * step, 0, SIDE - width);
    y = limited(y + below * step, 0, SIDE - height);
    if (down) line(before, [x, y]);
    (down ? tell : show)(where());
  }
  function resize(right, below) {
    width = limited(width + right * step, step, SIDE - x);
    height = limited(height + below * step, step, SIDE - y);
    show(where());
  }
  function markHere() {
    change((u, v) => u >= x && v >= y && u < x + width && v < y + height);
  }
  function penHere() {
    down = !down;
    if (!down) return show(where());
    remember();
    line([x, y], [x, y]);
    tell(where());
  }
  const here = marking ? markHere : penHere;
  const keys = { ...arrowKeys(move), " ": here, Enter: here, Backspace: undo, Delete: clear };
  if (marking) Object.assign(keys, arrowKeys(resize, "Shift+"));

  function begin() {
    remember();
    last = null;
  }
  function through(across, along) {
    const pixel = [Math.floor(SIDE * across), Math.floor(SIDE * along)];
    line(last ?? pixel, pixel);
    last = pixel;
    show();
  }
  const board = drawingBoard(svg, { title: way.title, help, keys, begin, through, end: () => tell() });
  const eraser = button("Erase", () => {
    erasing = !erasing;
    eraser.setAttribute("aria-pressed", erasing);
    show(`The eraser is ${erasing ? "on: it takes away what you paint over" : "off"}.`);
  });
  eraser.setAttribute("aria-pressed", false);
  const tools = make("div", { className: "dl-buttons" }, [eraser, button("Clear", clear), button("Undo", undo)]);
  return { board, status, tools, help, show, bits: () => toBits(marks) };
}

function render({ model, el }) {
  const [picture, note] = [model.get("picture"), model.get("note")];
  const way = picture.data ? MARK : SKETCH;
  const view = picture.data ? markingOf(picture) : outlineOf();
  const canvas = easel(model, way, view);
  const pictures = pictureRow();
  const talk = asking(model, {
    show(answer, fresh) {
      if (!fresh || !answer.captions) return; // a problem, or nothing asked for yet
      pictures.put(answer);
      canvas.show(`Here is what came of it: ${answer.captions.join("; ")}.`);
    },
    picture: pictures.node,
  });
  const prompt = textField(way.question, model.get("request").prompt);
  function ask() {
    const wish = { bits: canvas.bits(), prompt: prompt.place() };
    const same = !talk.busy() && talk.known(wish) && model.get("answer").captions;
    if (same) canvas.show("The same marks and the same words give the same pictures: change one of them.");
    else talk.ask(wish);
  }
  prompt.input.addEventListener("keydown", (event) => event.key === "Enter" && ask());

  const root = make("div", { className: "dl-widget dl-drawing dl-canvas" }, [
    make("p", { className: "dl-title", textContent: way.title }),
    canvas.board,
    make("div", {}, [
      ...(note ? [make("p", { className: "dl-words", textContent: note })] : []),
      ...view.key,
      canvas.status,
      canvas.tools,
      canvas.help,
      make("div", { className: "dl-ask" }, [
        prompt.node,
        make("div", { className: "dl-buttons" }, [button(way.go, ask, "dl-main")]),
      ]),
      talk.problem,
      talk.wait,
    ]),
    pictures.node,
  ]);
  talk.begin();
  canvas.show();
  return mount(el, root, talk.end);
}

export default { render };
