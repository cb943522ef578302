// Pictures from words. The whole way from noise comes in one answer, so the page goes back and forth
// on it by itself. Every text of the learner is shown as text, never as HTML.

const STEP_MS = 140; // between two places on the way: each is much like the one before, no flashing
const SEEDS = 10000; // a surprise has a seed below this one

/** A number that may be typed, or moved by arrow keys and by the buttons beside it. */
function numberField(name, { step, low, high, hint }, moved) {
  const note = make("span", { className: "dl-hint", id: idOf("hint"), textContent: hint });
  const { input, node, place } = textField(name, "", {
    role: "spinbutton", inputmode: "decimal", "aria-valuemin": low, "aria-valuemax": high, "aria-describedby": note.id,
  });
  function say() {
    const number = numberIn(input.value);
    if (Number.isFinite(number)) input.setAttribute("aria-valuenow", number);
    else input.removeAttribute("aria-valuenow");
    return Number.isFinite(number) ? number : low;
  }
  function put(text) {
    input.value = text;
    say();
  }
  function by(change) {
    put(String(Number(Math.min(high, Math.max(low, say() + change)).toFixed(6))));
    moved();
  }
  input.addEventListener("input", say);
  input.addEventListener("change", moved);
  input.addEventListener("keydown", (event) => {
    const change = { ArrowUp: step, ArrowDown: -step, PageUp: 5 * step, PageDown: -5 * step }[event.key];
    if (change === undefined) return;
    event.preventDefault();
    by(change);
  });
  // For the mouse alone: by keyboard the arrows do the same, so these stand in nobody's way.
  const mouse = (sign, change) => {
    const press = button(sign, () => by(change));
    press.tabIndex = -1;
    press.setAttribute("aria-hidden", "true");
    return press;
  };
  node.className = "dl-number";
  node.append(make("div", { className: "dl-spin" }, [mouse("−", -step), input, mouse("+", step)]), note);
  return { node, input, place, put };
}

/** The way from noise: the picture so far, the guess of the end, a strip of all places, a slider. */
function wayOf() {
  const big = framed("dl-big", "in the model’s hands");
  const small = framed("dl-small", "its guess of the end");
  const film = make("div", { className: "dl-film", attrs: { role: "img" } });
  const bar = slider("the way from noise", [""], 0, show);
  let way = null;

  function show() {
    const place = bar.place();
    paint(big.canvas, way, place);
    paint(small.canvas, way, place + way.places.length);
    big.canvas.setAttribute("aria-label", `${way.alt}. ${way.places[place]}.`);
    small.canvas.setAttribute("aria-label", `${way.alt}. What the model guesses ${way.places[place]}.`);
    [...film.children].forEach((canvas, i) => canvas.classList.toggle("dl-here", i === place));
  }
  function go(place) {
    bar.put(place);
    show();
  }
  const last = () => (way ? way.places.length - 1 : 0);
  const play = player(bar, go, STEP_MS);
  film.addEventListener("click", ({ target }) => {
    if (target === film) return;
    play.pause();
    go([...film.children].indexOf(target));
  });
  return {
    pair: make("div", { className: "dl-pair" }, [big.node, small.node]),
    strip: make("div", { className: "dl-way" }, [film, bar.node]),
    play: play.node,
    leave: play.leave,
    again: () => way && play.fromStart(),
    /** Another picture: played from the start, or seen at the place where one looked before. */
    put(answer, played) {
      const [before, end] = [bar.place(), last()];
      way = answer;
      play.pause();
      const stays = before < end && end === last() && !played;
      bar.restock(way.places);
      paintAll(film, way, way.places.length);
      film.setAttribute("aria-label", `${way.alt}, coming out of noise in ${last()} places from left to right`);
      go(stays ? before : last());
      if (played) play.fromStart();
    },
  };
}

/** The pictures that were kept; a press brings the words and settings of one back. */
function shelf(chosen) {
  const row = make("div", { className: "dl-shelf" });
  const title = make("p", { className: "dl-title", id: idOf("shelf") });
  const node = make("section", { attrs: { "aria-labelledby": title.id } }, [title, row]);
  return {
    node,
    put(slots) {
      const pictures = slots.filter((one) => one.places);
      title.textContent = pictures.length ? "Your gallery, the newest first" : "Your gallery is empty so far";
      row.replaceChildren(
        ...pictures.map((one) => {
          const canvas = make("canvas", { attrs: { "aria-hidden": "true" } });
          paint(canvas, one);
          const again = button("", () => chosen(one.places));
          again.append(canvas, make("span", { textContent: one.prompt }));
          again.title = `${one.words}. Press to draw it again.`;
          return again;
        }),
      );
    },
  };
}

const NUMBERS = [
  ["seed", { step: 1, low: 0, high: 4294967295, hint: "other noise, another picture" }],
  ["steps", { step: 1, low: 1, high: 1000, hint: "from noise to picture" }],
  ["guidance", { step: 0.5, low: 0, high: 30, hint: "0 ignores your words, 1 takes them as learned" }],
];

function render({ model, el }) {
  let played = false; // whether the learner asked for a picture, or only turned at a setting
  let number = 0; // of the picture on show
  const way = wayOf();
  const prompt = textField("What is the picture to show?");
  const negative = textField("negative prompt");
  const numbers = NUMBERS.map(([name, given]) => numberField(name, given, moved));
  const fields = [prompt, negative, ...numbers];
  const put = (places) => fields.forEach((field, i) => places[i] !== undefined && field.put(places[i]));
  const words = make("p", { className: "dl-words" });
  const took = make("p", { className: "dl-took" });
  const stage = make("div", { className: "dl-stage-row" });
  const talk = asking(model, {
    show(answer, fresh) {
      if (!fresh || !answer.data) return;
      number = answer.number;
      root.classList.remove("dl-blank");
      way.put(answer, played);
      played = false;
      words.textContent = answer.words;
      took.textContent = answer.took;
    },
    picture: stage,
  });
  const wish = () => ({ places: fields.map((field) => field.place()) });
  function moved() {
    if (!talk.known(wish())) talk.ask(wish());
  }
  function draw() {
    if (talk.known(wish())) {
      took.textContent = "The same words and the same numbers give the same picture: change one of them.";
      return way.again();
    }
    played = true;
    talk.ask(wish());
  }
  function drawOf(places) {
    put(places);
    draw();
  }
  function surprise() {
    const all = model.get("surprises").filter((one) => one !== prompt.place());
    const any = (count) => Math.floor(Math.random() * count);
    drawOf([all[any(all.length)], "", String(any(SEEDS))]);
  }
  for (const field of [prompt, negative]) field.input.addEventListener("change", moved);
  for (const { input } of fields) {
    input.addEventListener("keydown", (event) => event.key === "Enter" && draw());
  }

  const saved = make("p", { className: "dl-saved", attrs: { role: "status" } });
  const kept = shelf(drawOf);
  const keeping = asking(model, {
    request: "keep",
    answer: "kept",
    words: "saving …",
    show(answer) {
      saved.textContent = answer.problem ?? answer.words;
      saved.classList.toggle("dl-problem", "problem" in answer);
      kept.put(answer.pictures);
    },
    picture: kept.node,
  });
  const save = () => {
    if (number) keeping.ask({ of: number });
    else saved.textContent = "There is no picture to save yet.";
  };

  const more = make("details", {}, [ownKeys(make("summary", { textContent: "More: what it is not to show" })), negative.node]);
  const chips = model.get("suggestions").map((text) => button(text, () => drawOf([text, ""])));
  stage.append(way.pair, make("div", { className: "dl-side" }, [...numbers.map((one) => one.node), more]));
  const root = make("div", { className: "dl-widget dl-studio dl-blank" }, [
    make("div", { className: "dl-ask" }, [
      prompt.node,
      make("div", { className: "dl-buttons" }, [button("Draw", draw, "dl-main"), button("Surprise me", surprise)]),
    ]),
    make("div", { className: "dl-buttons dl-chips", attrs: { role: "group", "aria-label": "suggestions" } }, chips),
    talk.problem,
    talk.wait,
    stage,
    way.strip,
    make("div", { className: "dl-end" }, [
      make("div", { className: "dl-buttons" }, [way.play, button("Save", save), saved, keeping.wait]),
      make("div", { attrs: { role: "status" } }, [words, took]),
    ]),
    kept.node,
  ]);
  put(model.get("request").places);
  talk.begin();
  keeping.begin();
  return mount(el, root, () => {
    way.leave();
    talk.end();
    keeping.end();
  });
}

export default { render };
