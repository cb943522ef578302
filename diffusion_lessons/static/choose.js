// Two pictures of one prompt: which one is better? A key, a click or a tap says so, and the next two come.

const [LEFT, RIGHT, ALIKE] = [0, 1, -1]; // as Python has them

function render({ model, el }) {
  const { data, height, width } = model.get("pictures");
  const [prompts, seen, rule] = [model.get("prompts"), model.get("seen"), model.get("rule")];
  const pictures = { data, height, width };
  const total = prompts.length;
  let lengths = []; // how many were chosen before each press in this view, for Undo
  const chosen = () => model.get("chosen");

  const title = make("p", { className: "dl-title", id: idOf("title"), textContent: "Which one do you like better?" });
  const prompt = make("p", { className: "dl-words" });
  const status = make("p", { className: "dl-words", attrs: { role: "status" } });
  const sides = ["Left", "Right"].map((side, place) => {
    const canvas = make("canvas", { attrs: { "aria-hidden": "true" } });
    const node = button("", () => choose(place));
    node.append(canvas, make("span", { textContent: `${side} (${"←→"[place]})` }));
    return { side, canvas, node };
  });

  function keep(next, what) {
    lengths.push(chosen().length);
    put(next);
    show(what);
  }
  function put(next) {
    model.set("chosen", next);
    model.save_changes();
  }
  function choose(which) {
    if (chosen().length === total) return show(`All ${total} pairs are through: Undo takes the last one back.`);
    const what = which === ALIKE ? "No difference" : `${sides[which].side} it is`;
    keep([...chosen(), which], `${what}.`);
  }
  function undo() {
    const before = lengths.pop() ?? chosen().length - 1;
    if (before < 0) return show("There is no choice to take back.");
    put(chosen().slice(0, before));
    show("Taken back.");
  }
  function letRule() {
    const here = chosen().length;
    if (here === total) return show(`All ${total} pairs are through: there is nothing left for the rule.`);
    keep([...chosen(), ...rule.choices.slice(here)], `The rule has chosen in ${total - here} pairs.`);
  }

  /** Show the pair that is to be chosen from, or the last one, and say how far it is. */
  function show(what = "") {
    const here = Math.min(chosen().length, total - 1);
    const done = chosen().length === total;
    prompt.textContent = `“${prompts[here]}”`;
    sides.forEach(({ side, canvas, node }, place) => {
      paint(canvas, pictures, 2 * here + place);
      node.setAttribute("aria-label", `${side}: ${seen[2 * here + place]}`);
      node.classList.toggle("dl-main", done && chosen()[here] === place);
    });
    const alike = chosen().filter((which) => which === ALIKE).length;
    const tally = alike ? `, ${alike} of them without a difference` : "";
    const next = done ? "Go on in the notebook." : sides.map(({ node }) => node.ariaLabel).join("; ");
    status.textContent = [what, `${chosen().length} of ${total} chosen${tally}.`, next].filter(Boolean).join(" ");
  }

  const keys = {
    ArrowLeft: () => choose(LEFT), 1: () => choose(LEFT), ArrowRight: () => choose(RIGHT), 2: () => choose(RIGHT),
    3: () => choose(ALIKE), Backspace: undo,
  };
  const help = make("p", {
    className: "dl-words",
    id: idOf("help"),
    textContent: "Keys: ← or 1 for the left one, → or 2 for the right one, 3 for no difference, Backspace to undo.",
  });
  const tools = [button("No difference", () => choose(ALIKE)), button("Undo", undo)];
  if (rule.words) tools.push(button(`Let the rule choose: ${rule.words}`, letRule));
  const pair = make("div", { className: "dl-gallery" }, sides.map(({ node }) => node));
  const root = ownKeys(make("div", { className: "dl-widget dl-choose", attrs: {
    role: "group", "aria-labelledby": title.id, "aria-describedby": help.id,
  } }, [title, prompt, pair, status, make("div", { className: "dl-buttons" }, tools), help]));
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
  root.addEventListener("keydown", press, true); // before the button in focus keeps it to itself

  const heard = () => show();
  heard();
  model.on("change:chosen", heard);
  return mount(el, root, () => model.off?.("change:chosen", heard));
}

export default { render };
