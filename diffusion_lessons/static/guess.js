// A guess to commit before the reveal. Python compares it with the truth afterwards.

function render({ model, el }) {
  const [question, options] = [model.get("question"), model.get("options")];
  const entry = options ? radios(question, options, -1, ready) : textField(question, "", { inputmode: "decimal" });
  entry.node.classList.toggle("dl-list", Boolean(options));
  entry.input?.addEventListener("input", ready);
  const number = () => (Number.isFinite(numberIn(entry.place())) ? String(numberIn(entry.place())) : "");
  const guess = () => (options ? (options[entry.place()] ?? "") : number());
  const status = make("p", { className: "dl-words", attrs: { role: "status" } });
  const commit = button("Commit", () => {
    if (guess()) {
      model.set("committed", guess());
      model.save_changes();
      ready();
    } else status.textContent = options ? "Choose one of the options first." : "Write a number first, such as 0.5.";
  });
  function ready() {
    const committed = model.get("committed");
    const next = guess() === committed ? "Go on, and compare." : "Press Commit again to change it.";
    status.textContent = committed && `Committed: ${committed}. ${next}`;
  }
  const root = make("div", { className: "dl-widget dl-guess" }, [
    entry.node,
    make("div", { className: "dl-buttons" }, [commit]),
    status,
  ]);
  const before = model.get("committed");
  if (before) entry.put(options ? options.indexOf(before) : before);
  ready();
  return mount(el, root);
}

export default { render };
