// Pictures from the kernel: at most one request is on its way; the newest places follow its answer.

const BUSY_MS = 400; // a drawing that takes longer is announced
const SILENT_MS = 10000; // a kernel silent for longer is perhaps busy with a cell, or gone
const TYPING_MS = 400; // a text is sent when the typing pauses

/** A line of text with its label. */
function textLine(name, start, moved) {
  const id = idOf("text");
  const input = ownKeys(make("input", { type: "text", id, value: start }));
  let typing = 0;
  input.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(moved, TYPING_MS);
  });
  input.addEventListener("change", () => {
    clearTimeout(typing);
    moved();
  });
  return {
    node: make("div", { className: "dl-text" }, [make("label", { htmlFor: id, textContent: name }), input]),
    place: () => input.value,
    put: (text) => (input.value = text),
  };
}

function controlOf({ kind, name, words, start }, moved) {
  if (kind === "slider") return slider(name, words, start, moved);
  if (kind === "choice") return radios(name, words, start, moved);
  return textLine(name, start, moved);
}

/** The pictures of one answer, one canvas each, under a single name for screen readers. */
function gallery() {
  const node = make("div", { className: "dl-gallery", attrs: { role: "img" } });
  return {
    node,
    put({ count, width, height, data, alt }) {
      const pixels = bytesOf(data);
      while (node.childElementCount > count) node.lastChild.remove();
      while (node.childElementCount < count) node.append(make("canvas"));
      [...node.children].forEach((canvas, i) => {
        if (canvas.width !== width) canvas.width = width;
        if (canvas.height !== height) canvas.height = height;
        paint(canvas, pixels, i * width * height * 3);
      });
      node.classList.toggle("dl-many", count > 3);
      node.setAttribute("aria-label", alt);
    },
  };
}

/** Words about the wait, only when there is one to speak of. */
function waiting(picture) {
  const node = make("p", { className: "dl-wait" });
  let timers = [];
  return {
    node,
    start() {
      timers.push(
        setTimeout(() => {
          node.textContent = "drawing …";
          picture.setAttribute("aria-busy", "true");
        }, BUSY_MS),
        setTimeout(() => {
          node.textContent = "Still waiting: the kernel is busy with a cell, or has stopped.";
        }, SILENT_MS),
      );
    },
    end() {
      timers.forEach(clearTimeout);
      timers = [];
      node.textContent = "";
      picture.removeAttribute("aria-busy");
    },
  };
}

function render({ model, el }) {
  const pictures = gallery();
  const words = make("p", { className: "dl-words", attrs: { role: "status" } });
  const problem = make("p", { className: "dl-problem", attrs: { role: "alert" } });
  const wait = waiting(pictures.node);
  const controls = model.get("controls").map((control) => controlOf(control, moved));
  const places = () => controls.map((control) => control.place());
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  let asked = model.get("request").id; // the newest request on its way, or answered

  const busy = () => asked > model.get("answer").id;
  function moved() {
    if (busy() || same(places(), model.get("request").places)) return;
    asked = model.get("request").id + 1;
    wait.start();
    model.set("request", { id: asked, places: places() });
    model.save_changes();
  }
  function answered() {
    const answer = model.get("answer");
    problem.textContent = answer.problem ? `This could not be drawn. ${answer.problem}` : "";
    if (!answer.problem) {
      pictures.put(answer);
      words.textContent = answer.words;
    }
    if (busy()) return;
    wait.end();
    moved(); // the controls may have moved on meanwhile
  }
  function heard() {
    // Another view of this widget asked: follow it, unless this one has asked already.
    if (model.get("request").id <= asked) return;
    asked = model.get("request").id;
    controls.forEach((control, i) => control.put(model.get("request").places[i]));
  }

  const root = make("div", { className: "dl-widget" }, [
    make("div", { className: "dl-controls" }, controls.map((control) => control.node)),
    pictures.node,
    words,
    problem,
    wait.node,
  ]);
  el.append(root);
  model.get("request").places.forEach((place, i) => controls[i].put(place));
  answered();
  model.on("change:answer", answered);
  model.on("change:request", heard);
  return () => {
    wait.end();
    model.off?.("change:answer", answered);
    model.off?.("change:request", heard);
    root.remove();
  };
}

export default { render };
