// Pictures from the kernel, drawn anew whenever a control moves.

const TYPING_MS = 700; // a text is sent when the typing pauses: half a word is seldom known

/** A line of text; `moved` hears when the typing pauses or ends, or of each letter at once. */
function textLine(name, _words, start, moved, atOnce) {
  const line = textField(name, start);
  let typing = 0;
  line.input.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(moved, atOnce ? 0 : TYPING_MS);
  });
  line.input.addEventListener("change", () => {
    clearTimeout(typing);
    moved();
  });
  return { ...line, leave: () => clearTimeout(typing) };
}

const CONTROLS = { slider, choice: radios, text: textLine };

function render({ model, el }) {
  const pictures = pictureRow();
  const words = make("p", { className: "dl-words", attrs: { role: "status" } });
  const { places } = model.get("request");
  const controls = model.get("controls").map(({ kind, name, words, at_once }, i) =>
    CONTROLS[kind](name, words, places[i], moved, at_once),
  );
  const talk = asking(model, {
    show(answer, fresh) {
      if (!fresh || !answer.data) return;
      pictures.put(answer);
      words.textContent = answer.words;
    },
    picture: pictures.node,
  });
  function moved() {
    const wish = { places: controls.map((control) => control.place()) };
    if (!talk.known(wish)) talk.ask(wish);
  }
  const root = make("div", { className: "dl-widget dl-live" }, [
    make("div", { className: "dl-controls" }, controls.map((control) => control.node)),
    pictures.node,
    words,
    talk.problem,
    talk.wait,
  ]);
  talk.begin();
  return mount(el, root, () => {
    controls.forEach((control) => control.leave?.());
    talk.end();
  });
}

export default { render };
