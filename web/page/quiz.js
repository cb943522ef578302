// The quiz without Python: what diffusion_lessons/quiz does in answers.py and view.py, with the questions and the
// sentences of quiz.json. Rounds and answers are rows that never change, so that tabs can take in each other's.

const KEY = "diffusion-lessons/quiz-progress";
const [WEEK_S, YEAR_3000] = [7 * 24 * 3600, 32_503_680_000];
const FORGETS = "The quiz goes on, and forgets them when this page is closed.";
const now = () => Date.now() / 1000;
const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** Whether a stored row is a round, which has questions, or an answer. */
function isRow({ id, at, number, questions, round, question, option, sure }) {
  const texts = Array.isArray(questions) ? [id, ...questions] : [id, round, question, option];
  const inTime = Number.isFinite(at) && at >= 0 && at < YEAR_3000;
  const rest = questions ? Number.isInteger(number) : typeof sure === "boolean";
  return texts.every((one) => typeof one === "string") && inTime && rest;
}

/** All rows by id, and what takes one more in; without a store in memory alone. `notes` says what goes wrong. */
function rowsKept(store, notes) {
  const rows = new Map();
  function read() {
    const stored = store.getItem(KEY);
    if (stored === null) return;
    try {
      const { version, rows: found } = JSON.parse(stored);
      if (version !== 1 || !found.every(isRow)) throw new Error("they are not as this page writes them");
      found.forEach((row) => rows.set(row.id, row));
    } catch (error) {
      let number = 1;
      while (store.getItem(`${KEY}.unread-${number}`) !== null) number += 1;
      store.setItem(`${KEY}.unread-${number}`, stored);
      store.removeItem(KEY);
      notes.lost = `Earlier answers could not be read (${error.message}). `;
      notes.lost += `This browser keeps them as ${KEY}.unread-${number}, and the quiz starts again.`;
    }
  }
  function keep(row) {
    if (row && !rows.has(row.id)) rows.set(row.id, row);
    try {
      if (store) read();
      if (store && row) store.setItem(KEY, JSON.stringify({ version: 1, rows: [...rows.values()] }));
      if (row) delete notes.trouble;
    } catch (error) {
      notes.trouble = `Your answers cannot be kept in this browser (${error.message}). ${FORGETS}`;
    }
  }
  return { rows, keep };
}

/** Where a learner stands: the newest round, what it asks in which order, its answers and the latest of all rounds. */
function standing(rows, questions, forms) {
  const asked = (id) => questions.includes(forms[id]?.first);
  const begun = rows.filter((row) => row.questions?.some(asked));
  const newest = (a, b) => b.number - a.number || b.at - a.at || (a.id < b.id ? 1 : -1);
  const [round] = [{ id: "first", number: 1, at: 0, questions }, ...begun].sort(newest);
  const known = rows.filter((row) => asked(row.question) && forms[row.question].options[row.option]?.text);
  const answers = known.sort((a, b) => a.at - b.at).map((row) => {
    const right = row.option === forms[row.question].right;
    return { ...row, form: forms[row.question], right, sign: right ? "✓" : "✗", how: row.sure ? "sure" : "not sure" };
  });
  const given = answers.filter((row) => row.round === round.id).map((row) => [row.question, row]);
  const latest = new Map(answers.map((row) => [row.form.first, row]));
  const need = (id) => (latest.get(id)?.right === false ? Number(!latest.get(id).sure) : 2); // confident mistakes first
  return {
    round,
    order: [...new Set(round.questions)].filter(asked),
    given: new Map(given),
    latest,
    byNeed: (missed) => questions.filter((id) => !missed || need(id) < 2).sort((a, b) => need(a) - need(b)),
  };
}

/** Answer the page of a quiz. `data` is quiz.json, `lesson` such as "02"; `store` keeps the progress of the fifteen:
 * localStorage, or null where the browser refuses it. */
export function grade(model, data, lesson, store) {
  const { forms, links, said } = data;
  const { name } = model.get("answer");
  const { questions, kept } = data.quizzes[lesson][name];
  const notes = kept && !store ? { refused: `Your answers cannot be kept in this browser. ${FORGETS}` } : {};
  const { rows, keep } = rowsKept(kept && store, notes);
  const stand = () => standing([...rows.values()], questions, forms);

  function questionOf(id, answer, number) {
    const { stem, options, right, orders, link, demonstration } = forms[id];
    function feedback(key) {
      const [sign, word] = key === right ? ["✓", "right"] : ["✗", "wrong"];
      const verdict = said[`${word}, ${key === answer.option ? answer.how : "not chosen"}`];
      return { sign, verdict, why: options[key].why };
    }
    const optionOf = (key) => ({ key, text: options[key].text, feedback: answer ? feedback(key) : null });
    const shown = [...orders[(number - 1) % orders.length]].map(optionOf);
    const canShow = Boolean(answer && demonstration);
    return { id, stem, options: shown, chosen: answer?.option ?? "", link: links[link], "can show": canShow };
  }

  function resultOf({ round, order, latest, byNeed }, right) {
    const [missed, all, total] = [byNeed(true).map((id) => latest.get(id)), [...latest.values()], questions.length];
    const last = new Date(1000 * Math.max(...all.map((answer) => answer.at)));
    const sure = missed.filter((answer) => answer.sure).length;
    const day = last.toLocaleDateString("sv"); // Swedes write 2026-01-31
    let words = fill(said.taken, { name, round: round.number, day });
    if (order.length < total) words += fill(said["by now"], { total, now: all.filter((one) => one.right).length });
    if (questions.some((id) => forms[id].again)) words += said["in a week"];
    if (sure) words += fill(said[sure === 1 ? "one sure" : "many sure"], { sure });
    const visit = [...new Set(missed.map(({ form }) => form.link))].sort((a, b) => a - b).map((place) => links[place]);
    const lineOf = ({ form, option, sign, how }, i) => {
      return { place: i + 1, sign, stem: form.stem, chosen: form.options[option].text, sure: said[how] };
    };
    const lines = questions.flatMap((id, i) => (latest.has(id) ? [lineOf(latest.get(id), i)] : []));
    return { title: fill(said.title, { right, asked: order.length }), words, missed: missed.length, visit, lines };
  }

  /** All that the page shows at the place `here`; where there is none, the first open question, or the result. */
  function seen(here) {
    const found = stand();
    const { round, order, given } = found;
    const [total, right] = [order.length, [...given.values()].filter((answer) => answer.right).length];
    const done = total > 1 && given.size === total;
    const open = order.findIndex((id) => !given.has(id));
    const at = order[here] ? here : open < 0 ? total - Number(!done) : open;
    const id = order[at];
    const count = fill(said.answered, { given: given.size, right });
    const place = total > 1 ? fill(said.place, { here: at + 1, total, count }) : count;
    return {
      ...{ name, here: at, round: round.id, done, demonstration: null, notice: Object.values(notes).join(" ") },
      count: id ? place : fill(said["all answered"], { total }),
      signs: order.map((one) => given.get(one)?.sign ?? "·"),
      question: id ? questionOf(id, given.get(id), round.number) : null,
      result: id ? null : resultOf(found, right),
    };
  }

  /** The form in which to ask a question again: as last time, after a week the other one. */
  function due(id, last) {
    const other = last?.question === id ? forms[id].again : id;
    return (now() - last?.at >= WEEK_S && other) || (last?.question ?? id);
  }

  function reply({ round, here, option, sure, ...wish }) {
    keep(); // what other tabs have written
    const { order, latest, byNeed, round: newest } = stand();
    if (round !== newest.id) {
      const news = seen(null);
      return { ...news, notice: `${said["new round"]} ${news.notice}`.trim() };
    }
    const [question, at] = [order[here], now()];
    const again = wish.do === "retry" ? byNeed(wish.missed).map((id) => due(id, latest.get(id))) : [];
    const dice = () => Math.random().toString(16).slice(2);
    if (again.length) keep({ id: dice(), number: newest.number + 1, at, questions: again });
    if (wish.do === "answer") keep({ id: `${round} ${question}`, at, round, question, option, sure });
    return { ...seen(here), ...(wish.do === "show" && { demonstration: forms[question].demonstration }) };
  }

  keep();
  model.kernel = ({ request }) => model.say("answer", { ...reply(request), id: request.id });
  model.say("answer", { ...seen(null), id: model.get("request").id });
}
