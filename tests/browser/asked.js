// What the tests ask a page of widgets, or do in it: each function by its name, see asks() in
// bare_host.py. What JupyterLab is asked stands in probe.js.

/** Show a widget in the smallest host: a model with get, set, on, save_changes. */
async function hostOf([esm, css, state]) {
  const decode = (value) => {
    if (Array.isArray(value)) return value.map(decode);
    if (value === null || typeof value !== 'object') return value;
    if ('base64' in value) {
      return new DataView(Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)).buffer);
    }
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, decode(one)]));
  };
  const listeners = [];
  const fire = (name) => listeners.filter((one) => one[0] === `change:${name}`)
    .forEach((one) => one[1]());
  const values = decode(state);
  const host = window.host = {
    sent: [],        // what save_changes sent, one object a call
    changed: {},
    listeners,
    hear(name, value) { values[name] = decode(value); fire(name); },   // as if from Python
    model: {
      get: (name) => values[name],
      set(name, value) { values[name] = value; host.changed[name] = value; fire(name); },
      on: (name, listener) => listeners.push([name, listener]),
      off: (name, listener) => {
        const at = listeners.findIndex((one) => one[0] === name && one[1] === listener);
        listeners.splice(at, 1);
      },
      save_changes() { host.sent.push(host.changed); host.changed = {}; },
    },
    leave: [],
    show() {
      const el = document.createElement('main');
      document.body.append(el);
      host.leave.push(host.module.default.render({ model: host.model, el }));
    },
  };
  const style = document.createElement('style');
  style.textContent = css;
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
  host.module = await import(url);
  host.show();
}

/** The height of a canvas, then its pixels, four numbers each. */
function pixelsOf(which) {
  const n = document.querySelector(which);
  return [n.height, ...n.getContext('2d').getImageData(0, 0, n.width, n.height).data];
}

/** Boxes of the course map that are cut off or too small, and arrows that cross one. */
function crossed() {
  const seen = (node) => node.checkVisibility();
  const boxes = [...document.querySelectorAll('li')].map((node) => node.getBoundingClientRect());
  const faults = boxes.filter((box) => box.left < 0 || box.right > innerWidth).map(() => 'cut off');
  for (const box of document.querySelectorAll('.dl-part'))
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight)
      faults.push(box.innerText);
  for (const path of [...document.querySelectorAll('path')].filter(seen)) {
    const { left, top } = path.ownerSVGElement.getBoundingClientRect();
    for (let at = 0; at < path.getTotalLength(); at += 2) {
      const { x, y } = path.getPointAtLength(at);
      const inside = (box) => x + left > box.left + 2 && x + left < box.right - 2
        && y + top > box.top + 2 && y + top < box.bottom - 2;
      if (boxes.some(inside)) faults.push(`an arrow crosses a box at ${x}, ${y}`);
    }
  }
  return faults;
}

/** Note each change of a watched training, and in each frame of the screen whether it is whole. */
function follow() {
  window.followed = { steps: [], said: [], views: new Set(), gaps: 0, heights: [] };
  const look = () => {
    const view = document.querySelector('.dl-watch');
    if (view) {
      followed.views.add(view);
      const now = Number(view.querySelector('[role=progressbar]').getAttribute('aria-valuenow'));
      if (followed.steps.at(-1) !== now) followed.steps.push(now);
      const said = view.querySelector('[role=status]').textContent;
      if (followed.said.at(-1) !== said) followed.said.push(said);
      if (!view.querySelector('.dl-plot .dl-axis')) followed.gaps += 1;
      followed.heights.push(Math.round(view.getBoundingClientRect().height));
    } else if (followed.views.size) followed.gaps += 1;
    requestAnimationFrame(look);
  };
  look();
}

/** How wide a question stands in the page, and how it looks. */
function questionLook() {
  const of = (selector) => getComputedStyle(document.querySelector(selector));
  const { font, border, padding } = of('.dl-list label');
  const { width } = document.querySelector('.dl-widget').getBoundingClientRect();
  return { width, question: of('legend').font, font, border, padding };
}

/** How large the words at the axes of each plot are on the screen, in pixels. */
function typeSizes() {
  return [...document.querySelectorAll('svg.dl-plot')].map((svg) =>
    parseFloat(getComputedStyle(svg.querySelector('.dl-tick')).fontSize)
    * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width);
}

/** Ask the kernel for its widgets, as JupyterLab does when it connects. */
function askForWidgets(target) {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const comm = kernel.createComm(target, "asked-" + target);
  comm.open();
  comm.send({ method: target === "no.such" ? "update" : "request_states" });
}

/** The colours in sight of the line, the marker and the key of a plot. */
function coloursOfLines() {
  const colour = (n) => (n.matches('.dl-line') ? getComputedStyle(n).stroke : getComputedStyle(n).fill);
  const line = 'svg.dl-plot > path.dl-line:not(.dl-faint)';
  return [line, 'svg.dl-plot > path.dl-marker', '.dl-key .dl-line'].map((which) =>
    [...document.querySelectorAll(which)].filter((n) => n.checkVisibility()).map(colour));
}

/** Move the slider stop by stop, faster than a hand can. */
function scrubToNine() {
  const input = document.querySelector('input[type=range]');
  for (let i = 1; i <= 9; i += 1) {
    input.value = i;
    input.dispatchEvent(new Event('input'));
    input.dispatchEvent(new Event('change'));
  }
}

/** Keep the words of what is printed, instead of printing it. */
function keepPapers() {
  window.papers = [];
  const add = document.body.append.bind(document.body);
  document.body.append = (node) => {
    add(node);
    node.contentWindow.print = () => {
      papers.push(node.contentDocument.body.innerText);
      node.contentWindow.dispatchEvent(new Event('afterprint'));
    };
  };
}

/** Draw the widgets of an exported notebook from what stands in it, as the page's own script does: all
 * bytes go back to their places first, and where one has no place no widget is drawn. */
async function exportedWidgets() {
  const kind = (name) => [...document.querySelectorAll(`script[type="application/vnd.jupyter.widget-${name}+json"]`)]
    .map((node) => [node, JSON.parse(node.textContent)]);
  const [[, { state: models }]] = kind('state');
  for (const { state, buffers = [] } of Object.values(models)) {
    for (const { path, data } of buffers) {
      const place = path.slice(0, -1).reduce((part, key) => part[key], state);
      place[path.at(-1)] = new DataView(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer);
    }
  }
  const views = kind('view');
  for (const [node, { model_id: id }] of views) {
    const { state } = models[id];
    const el = document.createElement('main');
    node.after(el);
    const esm = await import(URL.createObjectURL(new Blob([state._esm], { type: 'text/javascript' })));
    esm.default.render({ el, model: { get: (name) => state[name], set() {}, on() {}, save_changes() {} } });
  }
  return views.length;
}
