// The quiz. Python decides what is right and keeps the answers (quiz/view.py); this shows, and asks.

/** A text in which the word NOT cannot be overlooked. */
function stemOf(text) {
  return text
    .split(/\b(NOT)\b/)
    .map((part) => (part === "NOT" ? make("strong", { className: "dl-not", textContent: part }) : part));
}

const LAB = /\/lab\/(?:workspaces\/[^/]+\/)?tree\//;
const LOOK_MS = 300;
const LOOKS = 50; // a large notebook on a slow machine takes ten seconds to open

/** A link to a section of another lesson; JupyterLab opens the lesson beside this one. */
function linkOf({ words, href }) {
  const node = make("a", { href, textContent: words, target: "_blank", rel: "noopener" });
  node.addEventListener("click", () => {
    const { pathname, hash } = new URL(node.href);
    if (!LAB.test(pathname)) return;
    const path = decodeURIComponent(pathname.split(LAB)[1]);
    node.dataset.commandlinkerCommand = "rendermime:handle-local-link";
    node.dataset.commandlinkerArgs = JSON.stringify({ path, id: hash, scope: "server" });
    landOn(decodeURIComponent(hash.slice(1)));
  });
  return node;
}

/** Go to a heading as soon as its notebook is there. JupyterLab does that for open notebooks only:
 * one that it opens for the link stays at its top. Ends when the heading rests, or the reader moves. */
function landOn(id) {
  let looks = 0;
  let rests = 0;
  const timer = setInterval(() => {
    const heading = [...document.querySelectorAll("[data-jupyter-id]")].find(
      (node) => node.dataset.jupyterId === id && node.getClientRects().length,
    );
    const before = heading?.getBoundingClientRect().top;
    heading?.scrollIntoView({ block: "start" });
    rests = heading && Math.abs(heading.getBoundingClientRect().top - before) < 2 ? rests + 1 : 0;
    if (rests === 3 || (looks += 1) === LOOKS) leave();
  }, LOOK_MS);
  function leave() {
    clearInterval(timer);
    for (const kind of ["wheel", "keydown", "pointerdown"]) removeEventListener(kind, leave, true);
  }
  for (const kind of ["wheel", "keydown", "pointerdown"]) addEventListener(kind, leave, true);
}

/** A sign for the eye; what it means stands beside it in words. */
function signOf(text) {
  return make("span", { className: "dl-sign", textContent: text, attrs: { "aria-hidden": "true" } });
}

/** A sign for the eye and its words for the ear. */
function signed(sign, words) {
  return [signOf(sign), make("span", { className: "dl-hidden", textContent: words })];
}

const signWords = (sign) => ({ "✓": "right: ", "✗": "not right: " })[sign] ?? "";

/** The question with its options. `chosen(key)` is called when another option is chosen. */
function questionCard(chosen) {
  const node = make("div", { className: "dl-question" });
  let list = null;
  let asked = "";
  let marks = [];
  let keys = [];
  return {
    node,
    key: () => keys[list.place()] ?? "",
    focus: () => (list.inputs.find((input) => input.checked) ?? list.inputs[0]).focus(),
    put({ id, stem, options, chosen: key }, round) {
      if (asked !== `${round} ${id}`) {
        asked = `${round} ${id}`;
        keys = options.map((option) => option.key);
        list = radios("", options.map((option) => option.text), -1, () => chosen(keys[list.place()]));
        list.node.classList.add("dl-list");
        list.node.querySelector("legend").replaceChildren(...stemOf(stem));
        marks = list.inputs.map((input) => {
          const mark = make("span", { className: "dl-mark" });
          input.after(mark);
          return mark;
        });
        node.replaceChildren(list.node);
      }
      if (key) list.put(keys.indexOf(key));
      options.forEach(({ sign }, i) => marks[i].replaceChildren(...(sign ? signed(sign, signWords(sign)) : [])));
    },
  };
}

/** What is said about the option looked at, read aloud when it appears. */
function feedbackOf() {
  const verdict = make("p", { className: "dl-verdict" });
  const why = make("p");
  const where = make("p", { className: "dl-where" });
  const node = make("div", { className: "dl-feedback", attrs: { role: "status" } }, [verdict, why, where]);
  return {
    node,
    put(feedback) {
      node.classList.toggle("dl-nothing", !feedback);
      node.classList.toggle("dl-right", feedback?.sign === "✓");
      verdict.replaceChildren(...(feedback ? [signOf(feedback.sign), ` ${feedback.verdict}`] : []));
      why.textContent = feedback?.why ?? "";
      where.replaceChildren(...(feedback ? ["Where to look: ", linkOf(feedback.link)] : []));
    },
  };
}

/** What a demonstration found. */
function demonstration() {
  const words = make("p", { attrs: { role: "status" } });
  const node = make("div", { className: "dl-shown" }, [words]);
  return {
    node,
    put(shown) {
      node.classList.toggle("dl-nothing", !shown);
      words.textContent = shown?.words ?? "";
      node.querySelector("img")?.remove();
      if (shown?.picture) {
        node.prepend(make("img", { src: shown.picture, alt: shown.alt, width: shown.width }));
      }
    },
  };
}

/** The result: score, what to look at again, every answer. */
function resultPaper() {
  const node = make("section", { className: "dl-result", tabIndex: -1 });
  return {
    node,
    put(result) {
      if (!result) return void node.replaceChildren();
      const { title, words, sure, visit, lines } = result;
      const rows = lines.map(({ place, sign, verdict, stem, chosen, sure: how }) =>
        make("li", { value: place }, [
          make("span", {}, signed(sign, `${verdict}: `)),
          make("span", {}, stemOf(stem)),
          make("span", { className: "dl-chosen", textContent: ` You said, ${how}: ${chosen}` }),
        ]),
      );
      const links = visit.map((link) => make("li", {}, [linkOf(link)]));
      const again = links.length
        ? [make("p", { textContent: "Worth another visit:" }), make("ul", {}, links)]
        : [make("p", { textContent: "Nothing is missed. Come back in a week and see what stays." })];
      const answers = [make("p", { textContent: "Your latest answer to each question:" }), make("ol", {}, rows)];
      const paper = make("div", {}, [
        make("p", { className: "dl-score", textContent: title }),
        make("p", { textContent: `${words} ${sure}` }),
        ...again,
        ...answers,
      ]);
      node.setAttribute("aria-label", `Your result: ${title}`);
      node.replaceChildren(paper);
    },
  };
}

const PAPER = `body { font: 12pt/1.5 sans-serif; color: #000; max-width: 42rem; margin: 2rem auto }
.dl-score { font-size: 1.5em; font-weight: bold } .dl-sign { margin-right: 0.4em } .dl-chosen { display: block }
.dl-hidden { position: absolute; clip-path: inset(50%) } li { margin-bottom: 0.5em; break-inside: avoid } a { color: inherit }`;

/** Print one node alone: a page of its own, which the print dialogue gets. */
function printed(node) {
  const frame = make("iframe", { className: "dl-hidden", title: "the page to print" });
  document.body.append(frame);
  const page = frame.contentDocument;
  page.title = "Diffusion Lessons: my result";
  page.head.append(make("style", { textContent: PAPER }));
  page.body.append(page.importNode(node, true));
  frame.contentWindow.addEventListener("afterprint", () => frame.remove());
  frame.contentWindow.print();
}

function render({ model, el }) {
  let sent = model.get("request").id; // the newest request of this view
  let queued = null; // what to do when the answer is there
  let focusNext = null;
  const state = () => model.get("state");
  const busy = () => state().id < sent;

  /** Ask Python; while it is busy, the newest wish waits. */
  function ask(what, focus = null) {
    if (busy()) return void (queued = [what, focus]);
    sent = Math.max(sent, model.get("request").id) + 1;
    focusNext = focus;
    wait.start();
    model.set("request", { id: sent, ...what });
    model.save_changes();
  }

  const notice = make("p", { className: "dl-notice", attrs: { role: "status" } });
  const count = make("p", { className: "dl-count" });
  const signs = make("p", { className: "dl-signs", attrs: { "aria-hidden": "true" } });
  const card = questionCard((key) => {
    hint.textContent = "";
    const { question } = state();
    if (question?.feedback) ask({ do: "look", question: question.id, option: key });
  });
  const hint = make("p", { className: "dl-hint", attrs: { role: "status" } });
  function check(isSure) {
    const { question } = state();
    if (!card.key()) return void (hint.textContent = "Choose one of the answers first.");
    ask({ do: "answer", question: question.id, option: card.key(), sure: isSure }, "next");
  }
  const asks = make("p", { id: idOf("sure"), textContent: "How sure are you? Press, and your answer is checked." });
  const sure = make("div", { className: "dl-sure", attrs: { role: "group", "aria-labelledby": asks.id } }, [
    asks,
    make("div", { className: "dl-buttons" }, [button("I am sure", () => check(true)), button("I am not sure", () => check(false))]),
    hint,
  ]);
  const feedback = feedbackOf();
  const shown = demonstration();
  const showMe = button("Show me", () => ask({ do: "show", question: state().question.id }));
  const wait = waiting(shown.node, "one moment …");
  const back = button("Previous", () => ask({ do: "go", to: state().here - 1 }, "question"));
  const next = button("Next", () => ask({ do: "go", to: state().here + 1 }, "question"));
  const result = resultPaper();
  const again = [
    button("Retry the missed ones", () => ask({ do: "retry", missed: true }, "question")),
    button("Retry all", () => ask({ do: "retry", missed: false }, "question")),
    button("Look through the questions", () => ask({ do: "go", to: 0 }, "question")),
    button("Print", () => printed(result.node.firstElementChild)),
  ];
  const ways = make("div", { className: "dl-buttons dl-turns" }, [showMe, back, next, ...again]);

  function put() {
    const now = state();
    const { question, here } = now;
    const total = now.signs.length;
    notice.textContent = now.notice;
    count.textContent = now.count;
    const ticks = now.signs.map((sign, i) => make("span", { className: i === here ? "dl-here" : "", textContent: sign }));
    signs.replaceChildren(...ticks);
    signs.hidden = total === 1;
    for (const node of [card.node, feedback.node, shown.node]) node.hidden = !question;
    sure.hidden = !question || Boolean(question.feedback);
    if (question) card.put(question, now.round);
    feedback.put(question?.feedback);
    shown.put(now.shown);
    showMe.hidden = !question?.["can show"];
    back.hidden = !question || here === 0;
    const last = here === total - 1;
    const open = question && !question.feedback;
    next.hidden = !question || total === 1 || (last && open);
    next.textContent = open ? "Skip" : now.done && last ? "See your result" : "Next";
    next.classList.toggle("dl-main", !open);
    result.put(now.result);
    result.node.hidden = !now.result;
    for (const node of again) node.hidden = !now.result;
    if (now.result) again[0].hidden = now.result.missed === 0;
  }

  function heard() {
    put();
    if (busy()) return;
    wait.end();
    if (focusNext) focus(focusNext);
    focusNext = null;
    if (queued) {
      const [what, then] = queued;
      queued = null;
      ask(what, then);
    }
  }
  function focus(where) {
    const { question, result: done } = state();
    if (done) return void result.node.focus();
    if (where === "next" || question.feedback) {
      const first = [next, back, showMe].find((node) => !node.hidden);
      if (first) return void first.focus();
    }
    card.focus();
  }

  const root = make("div", { className: "dl-widget dl-quiz" }, [
    make("div", { className: "dl-top" }, [make("p", { className: "dl-title", textContent: state().name }), count, signs]),
    notice,
    card.node,
    sure,
    feedback.node,
    shown.node,
    result.node,
    wait.node,
    ways,
  ]);
  el.append(root);
  put();
  model.on("change:state", heard);
  return () => {
    wait.end();
    model.off?.("change:state", heard);
    root.remove();
  };
}

export default { render };
