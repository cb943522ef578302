// A guess to commit before the reveal. Python compares it with the truth afterwards.

/** A number with its label. */
function numberLine(name, moved) {
  const id = idOf("number");
  const input = ownKeys(make("input", { type: "number", id, attrs: { step: "any" } }));
  input.addEventListener("input", moved);
  return {
    node: make("div", { className: "dl-text" }, [make("label", { htmlFor: id, textContent: name }), input]),
    read: () => input.value,
    put: (value) => (input.value = value),
  };
}

function optionList(question, options, moved) {
  const list = radios(question, options, -1, moved);
  list.node.classList.add("dl-list");
  return {
    node: list.node,
    read: () => options[list.place()] ?? "",
    put: (value) => list.put(options.indexOf(value)),
  };
}

function render({ model, el }) {
  const options = model.get("options");
  const entry = options ? optionList(model.get("question"), options, ready) : numberLine(model.get("question"), ready);
  const status = make("p", { className: "dl-words", attrs: { role: "status" } });
  const commit = button("Commit", () => {
    if (!entry.read()) {
      status.textContent = options ? "Choose one of the options first." : "Write a number first.";
      return;
    }
    model.set("committed", entry.read());
    model.save_changes();
    said();
  });
  function ready() {
    if (model.get("committed") && entry.read() !== model.get("committed")) {
      status.textContent = `Committed: ${model.get("committed")}. Press Commit again to change it.`;
    } else said();
  }
  function said() {
    const committed = model.get("committed");
    status.textContent = committed ? `Committed: ${committed}. Go on, and compare.` : "";
  }
  if (model.get("committed")) entry.put(model.get("committed"));
  said();
  const root = make("div", { className: "dl-widget dl-guess" }, [
    entry.node,
    make("div", { className: "dl-buttons" }, [commit]),
    status,
  ]);
  return mount(el, root);
}

export default { render };
