// The page's side of every widget that asks its kernel (widgets/asking.py): at most one request is on
// its way; the newest one follows its answer.

const BUSY_MS = 400; // a drawing that takes longer is announced
const SILENT_MS = 10000; // a kernel silent for longer is perhaps busy with a cell, or gone

/** Requests in one trait of the model, answers in another. `show(answer, fresh)` is called for the
 * first answer and for each one to a request of this view. An answer with a problem has the pictures of
 * the last good one: `fresh` is false where this view shows them already. The node `problem` shows what went wrong, after
 * `sorry`; while the kernel is busy, the node `wait` shows `words`, and `picture` is marked as busy. */
function asking(model, { show, picture, words, sorry, request = "request", answer = "answer" }) {
  const problem = make("p", { className: "dl-problem", attrs: { role: "alert" } });
  const wait = make("p", { className: "dl-wait" }); // says nothing unless there is a wait to speak of
  let timers = [];
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  let { id, ...sent } = model.get(request); // the newest request of this view, answered or on its way
  let next = null; // the newest wish while that one is on its way

  function startWait() {
    const say = (text, ms) => setTimeout(() => (wait.textContent = text), ms);
    timers = [
      say(words ?? "drawing …", BUSY_MS),
      setTimeout(() => picture.setAttribute("aria-busy", "true"), BUSY_MS),
      say("Still waiting: the kernel is busy with a cell, or has stopped.", SILENT_MS),
    ];
  }
  function endWait() {
    timers.forEach(clearTimeout);
    wait.textContent = "";
    picture.removeAttribute("aria-busy");
  }
  const busy = () => id > model.get(answer).id;
  function ask(wish) {
    if (busy()) next = same(wish, sent) ? null : wish;
    else send(wish);
  }
  function send(wish) {
    id = Math.max(model.get(request).id, model.get(answer).id) + 1; // another page may have asked
    sent = wish;
    next = null;
    startWait();
    model.set(request, { id, ...wish });
    model.save_changes();
  }
  function update(first) {
    const now = model.get(answer);
    problem.textContent = now.problem ? `${sorry ?? "This could not be drawn."} ${now.problem}` : "";
    show(now, first || !now.problem);
  }
  function answered() {
    if (model.get(answer).id !== id) return; // to another view of this widget
    endWait();
    update(false);
    if (next) send(next);
  }
  return {
    problem,
    wait,
    ask,
    busy,
    /** Whether the kernel was asked for this already, without a problem. */
    known: (wish) => same(wish, next ?? sent) && !model.get(answer).problem,
    begin() {
      update(true);
      model.on(`change:${answer}`, answered);
    },
    end() {
      endWait();
      model.off?.(`change:${answer}`, answered);
    },
  };
}
