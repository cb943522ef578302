// A square to draw points in. The list of points belongs to the page while a hand is at work;
// Python hears of it after each stroke and each key.

const APART = 0.05; // points along a stroke are at least so far from each other

function render({ model, el }) {
  const [reach, step, most, shapes] = ["reach", "step", "most", "shapes"].map((name) => model.get(name));
  let points = [...model.get("drawn")];
  const cursor = { x: 0, y: 0 };
  let last = null; // the newest point of a stroke

  const svg = planeSquare();
  const dots = draw("path", { class: "dl-dots" });
  const hair = draw("path", { class: "dl-hair" });
  svg.append(dots, hair);
  const help = make("p", { className: "dl-words", id: idOf("help"), textContent:
    "Draw with the mouse or a pen. With the keyboard: the arrow keys move the cross, Space or Enter " +
    `adds a point there, Backspace takes the last one back. At most ${most} points.` });
  const status = make("p", { className: "dl-now", attrs: { role: "status" } });

  const number = () => {
    const count = points.length / 2;
    return `${count} point${count === 1 ? "" : "s"}${count === most ? ", the most that fit" : ""}`;
  };
  function show(words = number()) {
    dots.setAttribute("d", dotsPath(points, reach));
    const at = spot([cursor.x, cursor.y], 0, reach).split(" ").map(Number);
    hair.setAttribute("d", `M${at[0] - 7} ${at[1]}h14M${at[0]} ${at[1] - 7}v14`);
    svg.setAttribute("aria-label", number());
    status.textContent = words;
  }
  function tell() {
    model.set("drawn", [...points]);
    model.save_changes();
  }
  const round = (value) => Number(Math.min(reach, Math.max(-reach, value)).toFixed(3));
  function add(x, y) {
    if (points.length < 2 * most) points.push(round(x), round(y));
  }
  function change(next) {
    points = next;
    show();
    tell();
  }
  const takeBack = () => change(points.slice(0, -2));

  function move(dx, dy) {
    cursor.x = round(cursor.x + dx * step);
    cursor.y = round(cursor.y + dy * step);
    show(`cross at x ${numberWords(cursor.x)}, y ${numberWords(cursor.y)}; ${number()}`);
  }
  function addHere() {
    add(cursor.x, cursor.y);
    change(points);
  }
  const keys = {
    ...arrowKeys((right, down) => move(right, -down)),
    " ": addHere,
    Enter: addHere,
    Backspace: takeBack,
    Delete: takeBack,
  };
  function through(across, down) {
    const [x, y] = [reach * (2 * across - 1), reach * (1 - 2 * down)];
    if (last && Math.hypot(x - last[0], y - last[1]) < APART) return;
    if (Math.max(Math.abs(x), Math.abs(y)) > reach) return;
    last = [x, y];
    add(x, y);
    show();
  }
  const begin = () => (last = null);
  const board = drawingBoard(svg, { title: model.get("title"), help, keys, begin, through, end: tell });

  const ready = Object.entries(shapes).map(([name, shape]) => button(name, () => change([...shape])));
  const root = make("div", { className: "dl-widget dl-drawing" }, [
    make("p", { className: "dl-title", textContent: model.get("title") }),
    board,
    make("div", {}, [
      status,
      make("div", { className: "dl-buttons" }, [
        button("Take one back", takeBack),
        button("Clear", () => change([])),
      ]),
      make("div", { className: "dl-buttons", attrs: { role: "group", "aria-label": "ready-made shapes" } }, [
        make("span", { textContent: "or take" }),
        ...ready,
      ]),
      help,
    ]),
  ]);
  show();
  return mount(el, root);
}

export default { render };
