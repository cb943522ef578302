// The quiz. Python decides what is right and keeps the answers (quiz/view.py); this shows, and asks.

/** A text in which the word NOT cannot be overlooked. */
function stemOf(text) {
  const loud = (textContent) => make("strong", { className: "dl-not", textContent });
  return text.split(/\b(NOT)\b/).map((part) => (part === "NOT" ? loud(part) : part));
}

const LAB = /\/lab\/(?:workspaces\/[^/]+\/)?tree\//;

/** A link to a section of another lesson; JupyterLab opens the lesson beside this one. */
function linkOf({ words, href }) {
  const node = make("a", { href, textContent: words, target: "_blank", rel: "noopener" });
  node.addEventListener("click", () => {
    const { pathname, hash } = new URL(node.href);
    if (!LAB.test(pathname)) return;
    const path = decodeURIComponent(pathname.split(LAB)[1]);
    node.dataset.commandlinkerCommand = "rendermime:handle-local-link";
    node.dataset.commandlinkerArgs = JSON.stringify({ path, id: hash, scope: "server" });
  });
  return node;
}

/** A sign for the eye; what it means stands beside it in words. */
const signOf = (textContent) => make("span", { className: "dl-sign", textContent, attrs: { "aria-hidden": "true" } });

/** A sign for the eye and its words for the ear. */
function signed(sign) {
  const textContent = { "✓": "right: ", "✗": "not right: " }[sign];
  return [signOf(sign), make("span", { className: "dl-hidden", textContent })];
}

const line = (...parts) => make("p", {}, parts);
const spoken = (tag, className) => make(tag, { className, attrs: { role: "status" } });

/** The question; once it is answered, the feedback to an option. Before, `chosen` hears of each choice. */
function questionCard(chosen) {
  const node = make("div", { className: "dl-question" });
  const feedback = spoken("div", "dl-feedback");
  const looked = {}; // by round and question: the places of the options looked at, the last one on show
  let on = null; // the question on show
  let name = "";
  let list = null;

  function look(place) {
    looked[name] = [...looked[name].filter((other) => other !== place), place];
    list.put(place);
    const mark = (at) => list.inputs[at].nextSibling.replaceChildren(...signed(on.options[at].feedback.sign));
    looked[name].forEach(mark);
    const { sign, verdict, why } = on.options[place].feedback;
    feedback.classList.toggle("dl-right", sign === "✓");
    const first = make("p", { className: "dl-verdict" }, [signOf(sign), ` ${verdict}`]);
    feedback.replaceChildren(first, line(why), line("Where to look: ", linkOf(on.link)));
  }
  const moved = () => (on.chosen ? look(list.place()) : chosen());
  return {
    node,
    feedback,
    key: () => on.options[list.place()]?.key,
    focus: () => (list.inputs.find((input) => input.checked) ?? list.inputs[0]).focus(),
    put(question, round) {
      node.hidden = !question;
      if (question && name !== `${round} ${question.id}`) {
        name = `${round} ${question.id}`;
        list = radios("", question.options.map(({ text }) => text), -1, moved);
        list.node.classList.add("dl-list");
        list.node.querySelector("legend").replaceChildren(...stemOf(question.stem));
        list.inputs.forEach((input) => input.after(make("span", { className: "dl-mark" })));
        node.replaceChildren(list.node);
      }
      on = question;
      if (!on?.chosen) return void feedback.replaceChildren();
      looked[name] ??= [on.options.findIndex((option) => option.key === on.chosen)];
      look(looked[name].at(-1));
    },
  };
}

/** What a demonstration found. */
function foundIn({ words, picture, alt, width }) {
  return [...(picture ? [make("img", { src: picture, alt, width })] : []), line(words)];
}

/** The result: score, what to look at again, every answer. */
function paperOf({ title, words, visit, lines }) {
  const answers = lines.map(({ place, sign, stem, chosen, sure }) =>
    make("li", { value: place }, [
      make("span", {}, signed(sign)),
      make("span", {}, stemOf(stem)),
      make("span", { className: "dl-chosen", textContent: ` You said, ${sure}: ${chosen}` }),
    ]),
  );
  const links = visit.map((link) => make("li", {}, [linkOf(link)]));
  const again = links.length
    ? [line("Worth another visit:"), make("ul", {}, links)]
    : [line("Nothing is missed.")];
  const latest = [line("Your latest answer to each question:"), make("ol", {}, answers)];
  const score = make("p", { className: "dl-score", textContent: title });
  return make("div", {}, [score, line(words), ...again, ...latest]);
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
  let now = null; // the answer on show
  let focusNext = null; // where the focus goes when the next one is there
  const root = make("div", { className: "dl-widget dl-quiz" });
  const talk = asking(model, { show: put, picture: root, words: "one moment …", sorry: "That did not work." });
  const off = (is) => root.querySelectorAll("button").forEach((node) => node.setAttribute("aria-disabled", is));

  /** Ask Python; until it has answered nothing else can be pressed, so that no answer is lost. */
  function ask(what, focus) {
    if (talk.busy()) return;
    focusNext = focus;
    off(true);
    talk.ask({ round: now.round, here: now.here, ...what });
  }
  const asks = (text, what, focus) => button(text, () => ask(what(), focus));

  const notice = spoken("p", "dl-notice");
  const count = make("p", { className: "dl-count" });
  const signs = make("p", { className: "dl-signs", attrs: { "aria-hidden": "true" } });
  const hint = spoken("p", "dl-hint");
  const card = questionCard(() => (hint.textContent = ""));
  function check(sure) {
    if (card.key()) ask({ do: "answer", option: card.key(), sure }, "next");
    else hint.textContent = "Choose one of the answers first.";
  }
  const how = make("p", { id: idOf("sure"), textContent: "How sure are you? Press, and your answer is checked." });
  const both = [button("I am sure", () => check(true)), button("I am not sure", () => check(false))];
  const group = { className: "dl-sure", attrs: { role: "group", "aria-labelledby": how.id } };
  const sure = make("div", group, [how, make("div", { className: "dl-buttons" }, both), hint]);
  const shown = spoken("div", "dl-shown");
  const result = make("section", { className: "dl-result", tabIndex: -1 });
  const showMe = asks("Show me", () => ({ do: "show" }));
  const back = asks("Previous", () => ({ do: "go", here: now.here - 1 }), "question");
  const next = asks("Next", () => ({ do: "go", here: now.here + 1 }), "question");
  const again = [
    asks("Retry the missed ones", () => ({ do: "retry", here: null, missed: true }), "question"),
    asks("Retry all", () => ({ do: "retry", here: null, missed: false }), "question"),
    asks("Look through the questions", () => ({ do: "go", here: 0 }), "question"),
    button("Print", () => printed(result.firstElementChild)),
  ];

  function put(answer) {
    now = answer;
    const { question, here } = now;
    const total = now.signs.length;
    notice.textContent = now.notice;
    count.textContent = now.count;
    const tick = (sign, i) => make("span", { className: i === here ? "dl-here" : "", textContent: sign });
    signs.replaceChildren(...now.signs.map(tick));
    signs.hidden = total === 1;
    card.put(question, now.round);
    const open = question && !question.chosen;
    sure.hidden = !open;
    shown.replaceChildren(...(now.demonstration ? foundIn(now.demonstration) : []));
    const last = here === total - 1;
    showMe.hidden = !question?.["can show"];
    back.hidden = !question || here === 0;
    next.hidden = !question || total === 1 || (last && open);
    next.textContent = open ? "Skip" : now.done && last ? "See your result" : "Next";
    next.classList.toggle("dl-main", !open);
    result.hidden = !now.result;
    result.replaceChildren(...(now.result ? [paperOf(now.result)] : []));
    result.setAttribute("aria-label", `Your result: ${now.result?.title}`);
    again.forEach((node, i) => (node.hidden = !now.result || (i === 0 && now.result.missed === 0)));
    off(false);
    const first = [next, back, showMe].find((node) => !node.hidden);
    const target = now.result ? result : focusNext === "next" || question.chosen ? (first ?? card) : card;
    if (focusNext) target.focus();
    focusNext = null;
  }

  const name = make("p", { className: "dl-title", textContent: model.get("answer").name });
  const top = make("div", { className: "dl-top" }, [name, count, signs]);
  const turns = make("div", { className: "dl-buttons dl-turns" }, [showMe, back, next, ...again]);
  root.append(top, notice, card.node, sure, card.feedback, shown, result, talk.problem, talk.wait, turns);
  talk.begin();
  return mount(el, root, talk.end);
}

export default { render };
