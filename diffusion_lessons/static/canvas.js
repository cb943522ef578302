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
  help: "Paint over a part, with some room around it, by mouse, pen or finger. With the keyboard: the arrow " +
    "keys move a rectangle, with Shift they change its size, Space or Enter marks what it holds.",
};
const SKETCH = {
  title: "Draw an outline",
  question: "The picture, in words",
  go: "Draw",
  done: "drawn",
  start: { x: 32, y: 32, width: 1, height: 1, step: 1 },
  help: "Draw by mouse, pen or finger. With the keyboard: Space or Enter puts the pen down or " +
    "lifts it, the arrow keys move it.",
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
  const sides = (x, y) => SIDES.filter(([right, down]) => free(x + right, y + down)).map(([, , side]) => `M${x} ${y}${side}`);
  return on.flatMap((i) => sides(column(i), row(i))).join("");
}

/** The places of the latents that hold a marked pixel, and those beside them: what `latent_mask` in
 * Python calls 0 and 0.5. */
function placesOf(on) {
  const across = SIDE / PLACE;
  const held = [...new Set(on.map((i) => across * row(row(i), PLACE) + row(column(i), PLACE)))];
  const near = (a, b) => Math.max(Math.abs(column(a, across) - column(b, across)), Math.abs(row(a, across) - row(b, across))) < 2;
  const beside = [...Array(across ** 2).keys()].filter((a) => !held.includes(a) && held.some((b) => near(a, b)));
  return [held, beside];
}

/** A line that is seen on any picture, white within black. */
function twoLines(kind, dashes) {
  const paths = [["black", 0.9, "none"], ["white", 0.5, dashes]].map(([stroke, width, dash]) =>
    draw("path", { fill: "none", stroke, "stroke-width": width, "stroke-dasharray": dash }));
  return { node: draw("g", { class: kind }, ...paths), put: (d) => paths.forEach((path) => path.setAttribute("d", d)) };
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
  const signs = [...looks.map((look) => draw("path", { ...look, d: square(0, 0, 7, 4) })), twoLines("", "none")];
  signs[2].put("M1 4V1h6");
  const sign = (...shapes) => draw("svg", { class: "dl-swatch", viewBox: "0 0 7 4", "aria-hidden": "true" },
    draw("path", { fill: "gray", d: square(0, 0, 7, 4) }), ...shapes);
  return {
    nodes: [hatch, draw("image", { href: canvas.toDataURL(), width: SIDE, height: SIDE }), whole, half, edge.node],
    key: [keyRow([[sign(signs[2].node), "your mark"], [sign(signs[0]), "repainted"], [sign(signs[1]), "beside it, until t = 0.5"]])],
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
  return { nodes: [line], key: [], put: (_, on) => (line.setAttribute("d", squares(on, SIDE)), "") };
}

function render({ model, el }) {
  const [picture, note] = [model.get("picture"), model.get("note")];
  const marking = Boolean(picture.data);
  const way = marking ? MARK : SKETCH;
  const view = marking ? markingOf(picture) : outlineOf();
  const cursor = { ...way.start };
  const past = []; // the marks before each change
  let marks = fromBits(model.get("bits"));
  let last = null; // the newest pixel of a stroke
  let [erasing, down] = [false, false];

  const hair = twoLines("dl-reach", marking ? "1.2 1.2" : "none");
  const svg = draw("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img", class: "dl-plane" }, ...view.nodes, hair.node);
  const status = make("p", { className: "dl-now", attrs: { role: "status" } });
  const help = make("p", { className: "dl-words", id: idOf("help"), textContent: `${way.help} Backspace takes the last change back, Delete clears all.` });

  const range = (all) => `${Math.min(...all)} to ${Math.max(...all)}`;
  function summary(on) {
    if (!on.length) return `Nothing is ${way.done} yet.`;
    const [columns, rows] = [on.map((i) => column(i)), on.map((i) => row(i))];
    const [width, height] = [columns, rows].map((all) => Math.max(...all) - Math.min(...all) + 1);
    const size = on.length === width * height ? `${width} x ${height}` : on.length;
    return `${size} pixels are ${way.done}, columns ${range(columns)}, rows ${range(rows)}.`;
  }
  function show(words) {
    const on = [...marks.keys()].filter((i) => marks[i]);
    const { x, y, width, height } = cursor;
    const room = marking ? 0 : down ? 1 : 2; // around a pixel, which stays in sight
    hair.put(square(x - room, y - room, width + 2 * room, height + 2 * room));
    const places = view.put(marks, on);
    const said = summary(on);
    svg.setAttribute("aria-label", said);
    status.textContent = words ?? said + (on.length ? places : "");
  }
  function tell(words) {
    show(words);
    model.set("bits", toBits(marks));
    model.save_changes();
  }
  const remember = () => past.push(marks);
  /** Mark the pixels for which `held(x, y)` is true, or take their marks away. */
  function set(held, value = Number(!erasing)) {
    marks = marks.map((one, i) => (held(column(i), row(i)) ? value : one));
  }
  /** Mark what is near the line from one pixel to another. */
  function line([x, y], [toX, toY]) {
    const radius = marking || erasing ? BRUSH : 0.5;
    const [right, below] = [toX - x, toY - y];
    set((u, v) => {
      const along = limited(((u - x) * right + (v - y) * below) / (right ** 2 + below ** 2 || 1), 0, 1);
      return Math.hypot(u - x - along * right, v - y - along * below) <= radius;
    });
  }
  function change(held, value) {
    remember();
    set(held, value);
    tell();
  }
  function undo() {
    if (!past.length) return show("There is no change to take back.");
    marks = past.pop();
    tell();
  }
  function clear() {
    if (marks.includes(1)) change(() => true, 0);
    else show(`There is nothing to clear: nothing is ${way.done}.`);
  }

  function begin() {
    remember();
    last = null;
  }
  function through(across, along) {
    const here = [Math.floor(SIDE * across), Math.floor(SIDE * along)];
    line(last ?? here, here);
    last = here;
    show();
  }
  const where = () => marking
    ? `Rectangle of ${cursor.width} x ${cursor.height} pixels, columns ${cursor.x} to ${cursor.x + cursor.width - 1}, rows ${cursor.y} to ${cursor.y + cursor.height - 1}.`
    : `Pen ${down ? "down" : "up"} at column ${cursor.x}, row ${cursor.y}.`;
  function move(right, below) {
    const before = [cursor.x, cursor.y];
    cursor.x = limited(cursor.x + right * cursor.step, 0, SIDE - cursor.width);
    cursor.y = limited(cursor.y + below * cursor.step, 0, SIDE - cursor.height);
    if (down) line(before, [cursor.x, cursor.y]);
    (down ? tell : show)(where());
  }
  function resize(right, below) {
    cursor.width = limited(cursor.width + right * cursor.step, cursor.step, SIDE - cursor.x);
    cursor.height = limited(cursor.height + below * cursor.step, cursor.step, SIDE - cursor.y);
    show(where());
  }
  function put() {
    const { x, y, width, height } = cursor;
    if (marking) return change((u, v) => u >= x && v >= y && u < x + width && v < y + height);
    down = !down;
    if (!down) return show(where());
    remember();
    line([x, y], [x, y]);
    tell(where());
  }
  const sizes = marking ? arrowKeys(resize, "Shift+") : {};
  const keys = { ...arrowKeys(move), ...sizes, " ": put, Enter: put, Backspace: undo, Delete: clear };
  const board = drawingBoard(svg, { title: way.title, help, keys, begin, through, end: () => tell() });
  const eraser = button("Erase", () => {
    erasing = !erasing;
    eraser.setAttribute("aria-pressed", erasing);
    show(`The eraser is ${erasing ? "on: it takes away what you paint over" : "off"}.`);
  });
  eraser.setAttribute("aria-pressed", false);

  const pictures = pictureRow();
  const talk = asking(model, {
    show(answer) {
      if (!answer.captions) return; // a problem, or nothing asked for yet
      pictures.put(answer);
      status.textContent = `Here is what came of it: ${answer.captions.join("; ")}.`;
    },
    picture: pictures.node,
  });
  const prompt = textField(way.question, model.get("request").prompt);
  function ask() {
    const wish = { bits: toBits(marks), prompt: prompt.place() };
    const same = !talk.busy() && talk.known(wish) && model.get("answer").captions;
    if (same) show("The same marks and the same words give the same pictures: change one of them.");
    else talk.ask(wish);
  }
  prompt.input.addEventListener("keydown", (event) => event.key === "Enter" && ask());

  const root = make("div", { className: "dl-widget dl-drawing dl-canvas" }, [
    make("p", { className: "dl-title", textContent: way.title }),
    board,
    make("div", {}, [
      ...(note ? [make("p", { className: "dl-words", textContent: note })] : []),
      ...view.key,
      status,
      make("div", { className: "dl-buttons" }, [eraser, button("Clear", clear), button("Undo", undo)]),
      help,
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
  show();
  return mount(el, root, talk.end);
}

export default { render };
