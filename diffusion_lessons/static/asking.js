// The page's side of every widget that asks its kernel for pictures (widgets/asking.py): at most one
// request is on its way; the newest places of the controls follow its answer.

const BUSY_MS = 400; // a drawing that takes longer is announced
const SILENT_MS = 10000; // a kernel silent for longer is perhaps busy with a cell, or gone

/** Words about the wait, only when there is one to speak of. */
function waiting(picture, words = "drawing …") {
  const node = make("p", { className: "dl-wait" });
  let timers = [];
  return {
    node,
    start() {
      timers.push(
        setTimeout(() => {
          node.textContent = words;
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

/** The talk with the kernel. `places()` is where the controls stand and `put(places)` moves them,
 * `shown(answer)` shows a picture, which is in the node `picture`. */
function asking(model, { places, put, shown, picture }) {
  const problem = make("p", { className: "dl-problem", attrs: { role: "alert" } });
  const wait = waiting(picture);
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  let asked = model.get("request").id; // the newest request on its way, or answered

  const busy = () => asked > model.get("answer").id;
  const asIs = () => same(places(), model.get("request").places);
  function ask() {
    if (busy() || (asIs() && !model.get("answer").problem)) return;
    send();
  }
  function send() {
    asked = model.get("request").id + 1;
    wait.start();
    model.set("request", { id: asked, places: places() });
    model.save_changes();
  }
  function answered() {
    const answer = model.get("answer");
    problem.textContent = answer.problem ? `This could not be drawn. ${answer.problem}` : "";
    if (!answer.problem) shown(answer);
    if (busy()) return;
    wait.end();
    if (!asIs()) send(); // the controls have moved on meanwhile
  }
  function heard() {
    // Another view of this widget asked: follow it, unless this one has asked already.
    if (model.get("request").id <= asked) return;
    asked = model.get("request").id;
    put(model.get("request").places);
  }
  function begin() {
    put(model.get("request").places);
    answered();
    model.on("change:answer", answered);
    model.on("change:request", heard);
  }
  function end() {
    wait.end();
    model.off?.("change:answer", answered);
    model.off?.("change:request", heard);
  }
  return { problem, wait: wait.node, ask, asIs, begin, end };
}
