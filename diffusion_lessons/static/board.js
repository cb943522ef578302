// A square to draw in, by hand or by keyboard: for points in the plane and for pixels of a canvas.

/** What takes the keys and the strokes over `square`. `keys` maps a key, or one with "Shift+" before
 * it, to what it does. Mouse, pen or finger call `begin()`, `through(x, y)` for each place on their
 * way, from 0 to 1 across and down, and `end()`. */
function drawingBoard(square, { title, help, keys, begin, through, end }) {
  const board = ownKeys(make("div", { className: "dl-board", tabIndex: 0, attrs: {
    role: "application", "aria-label": title, "aria-describedby": help.id,
  } }, [square]));
  board.addEventListener("keydown", (event) => {
    const press = (event.shiftKey && keys[`Shift+${event.key}`]) || keys[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !press) return;
    event.preventDefault();
    press();
  });

  let pointer = null; // the one that draws
  function goes({ clientX, clientY }) {
    const { left, top, width, height } = square.getBoundingClientRect();
    through((clientX - left) / width, (clientY - top) / height);
  }
  function rests({ pointerId }) {
    if (pointerId !== pointer) return;
    pointer = null;
    end();
  }
  square.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    event.preventDefault();
    board.focus({ preventScroll: true });
    square.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    begin();
    goes(event);
  });
  square.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    (all.length ? all : [event]).forEach(goes);
  });
  square.addEventListener("pointerup", rests);
  square.addEventListener("pointercancel", rests);
  return board;
}

/** The four arrow keys, with `held` before their names: each calls `move` with steps right and down. */
const arrowKeys = (move, held = "") => ({
  [`${held}ArrowLeft`]: () => move(-1, 0),
  [`${held}ArrowRight`]: () => move(1, 0),
  [`${held}ArrowUp`]: () => move(0, -1),
  [`${held}ArrowDown`]: () => move(0, 1),
});
