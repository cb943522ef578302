// A square to draw points in. The list of points belongs to the page while a hand is at work;
// Python hears of it after each stroke and each key.

const APART = 0.05; // points along a stroke are at least so far from each other

function render({ model, el }) {
  const [reach, step, most, shapes] = ["reach", "step", "most", "shapes"].map((name) => model.get(name));
  let points = [...model.get("drawn")];
  const cursor = { x: 0, y: 0 };
  let stroke = null; // the pointer that draws

  const svg = planeSquare();
  const dots = draw("path", { class: "dl-dots" });
  const hair = draw("path", { class: "dl-hair" });
  svg.append(dots, hair);
  const help = make("p", { className: "dl-words", id: idOf("help"), textContent:
    "Draw with the mouse or a pen. With the keyboard: the arrow keys move the cross, Space or Enter " +
    `adds a point there, Backspace takes the last one back. At most ${most} points.` });
  const board = ownKeys(make("div", { className: "dl-board", tabIndex: 0, attrs: {
    role: "application", "aria-label": model.get("title"), "aria-describedby": help.id,
  } }, [svg]));
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
    ArrowLeft: () => move(-1, 0),
    ArrowRight: () => move(1, 0),
    ArrowUp: () => move(0, 1),
    ArrowDown: () => move(0, -1),
    " ": addHere,
    Enter: addHere,
    Backspace: takeBack,
    Delete: takeBack,
  };
  board.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });

  function draws(event) {
    const box = svg.getBoundingClientRect();
    const x = reach * ((2 * (event.clientX - box.left)) / box.width - 1);
    const y = reach * (1 - (2 * (event.clientY - box.top)) / box.height);
    if (stroke.last && Math.hypot(x - stroke.last[0], y - stroke.last[1]) < APART) return;
    if (Math.max(Math.abs(x), Math.abs(y)) > reach) return;
    stroke.last = [x, y];
    add(x, y);
    show();
  }
  function rests() {
    if (!stroke) return;
    stroke = null;
    tell();
  }
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    board.focus();
    svg.setPointerCapture(event.pointerId);
    stroke = { last: null };
    draws(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    const all = event.getCoalescedEvents?.() ?? [];
    (all.length ? all : [event]).forEach(draws);
  });
  svg.addEventListener("pointerup", rests);
  svg.addEventListener("pointercancel", rests);

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
