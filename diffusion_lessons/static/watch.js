// A training as it runs: Python sends how far it is; everything here changes in place.

const STAGE_SIDE = 128; // pixels a stage is wide, or the nearest whole multiple of its own pixels
const STAGE_REACH = 2; // the piece of the plane that a stage of points shows

/** Marks for a logarithmic axis from low to high: 1, 2, 5 times powers of ten, or the powers alone. */
function logTicks(low, high) {
  const powers = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p += 1) powers.push(p);
  const within = (marks) => marks.filter((mark) => mark >= low * 0.999 && mark <= high * 1.001);
  const fine = within(powers.flatMap((p) => [1, 2, 5].map((n) => Number(`${n}e${p}`))));
  return fine.length <= 6 ? fine : within(powers.map((p) => Number(`1e${p}`)));
}

/** The nearest of 1, 2, 5, 10 times a power of ten not above `low`, and not below `high`, so that the
 * axis rests while the loss moves. */
function roundOut(low, high) {
  const marks = (value) => [1, 2, 5, 10].map((n) => n * 10 ** Math.floor(Math.log10(value)));
  return [marks(low).findLast((mark) => mark <= low * 1.001), marks(high).find((mark) => mark >= high * 0.999)];
}

/** The loss so far on a logarithmic axis: a line for the mean of a few steps, a band around it. */
function lossCurve(total) {
  const svg = plot();
  const title = make("figcaption", { textContent: "loss" });
  const node = make("figure", { className: "dl-panel dl-graph" }, [title, svg]);
  const x = across(0, total);
  function put(curve) {
    const [steps, mean, low, high] = ["steps", "mean", "low", "high"].map((name) => floatsOf(curve[name]));
    const placed = [...low, ...high].filter((value) => value > 0 && Number.isFinite(value));
    const [bottom, above] = placed.length ? roundOut(Math.min(...placed), Math.max(...placed)) : [0.1, 1];
    const top = Math.max(above, 2 * bottom);
    const y = upwards(Math.log10(bottom), Math.log10(top));
    const height = (value) => (value > 0 ? Math.log10(value) : NaN);
    const line = (values) => [...steps].map((step, i) => [step, height(values[i])]);
    const band = [...line(high), ...line(low).reverse()].filter(([, value]) => Number.isFinite(value));
    svg.replaceChildren();
    axes(svg, x, ticks(0, total), (value) => y(Math.log10(value)), logTicks(bottom, top), "steps");
    svg.append(
      draw("path", { class: "dl-band", d: pathOf(band, x, y) }),
      draw("path", { class: "dl-line dl-style0", d: pathOf(line(mean), x, y) }),
    );
    const last = mean.length - 1;
    title.textContent = last < 0 ? "loss" : `loss ${numberWords(Number(mean[last].toPrecision(2)))}`;
    const now = last < 0 ? "none yet" : `${numberWords(mean[0])} at first, ${numberWords(mean[last])} at step ${steps[last].toFixed()}`;
    svg.setAttribute("aria-label", `The loss so far: ${now}.`);
  }
  return { node, put };
}

/** The tiles of one stage on one canvas, a pixel apart. */
function tiles(stage) {
  const { count, width, height } = stage;
  const columns = Math.ceil(Math.sqrt(count));
  const canvas = make("canvas", {
    width: columns * (width + 1) - 1,
    height: Math.ceil(count / columns) * (height + 1) - 1,
    attrs: { role: "img" },
  });
  const zoom = Math.max(1, Math.round(STAGE_SIDE / canvas.width));
  canvas.style.width = `${zoom * canvas.width}px`;
  const tile = make("canvas");
  for (let i = 0; i < count; i += 1) {
    paint(tile, stage, i);
    canvas.getContext("2d").drawImage(tile, (i % columns) * (width + 1), Math.floor(i / columns) * (height + 1));
  }
  return canvas;
}

function cloud({ data, behind }) {
  const svg = planeSquare();
  const dots = (kind, points) => draw("path", { class: kind, d: dotsPath(floatsOf(points), STAGE_REACH) });
  svg.append(dots("dl-behind", behind), dots("dl-dots", data));
  return svg;
}

const STAGES = { pictures: tiles, points: cloud };

/** The strip: a stage stays as it was drawn, a new one is added, one that has left is taken out. */
function strip(alt) {
  const node = make("div", { className: "dl-stages" });
  const figures = new Map(); // number of the stage to its figure
  function figureOf(stage) {
    const picture = STAGES[stage.kind](stage);
    picture.setAttribute("aria-label", `${alt}, ${stage.caption}`);
    const caption = make("figcaption", { textContent: stage.caption });
    return make("figure", { className: "dl-stage" }, [picture, caption]);
  }
  function put(slots) {
    const stages = slots.filter((stage) => stage.number);
    for (const stage of stages) {
      if (!figures.has(stage.number)) figures.set(stage.number, figureOf(stage));
    }
    node.replaceChildren(...stages.map((stage) => figures.get(stage.number)));
  }
  return { node, put };
}

function render({ model, el }) {
  const total = model.get("total");
  const fill = make("div", { className: "dl-fill" });
  const bar = make("div", { className: "dl-bar", attrs: {
    role: "progressbar", "aria-label": "training", "aria-valuemin": 0, "aria-valuemax": total,
  } }, [fill]);
  const words = make("p", { className: "dl-now" });
  const status = make("p", { className: "dl-hidden", attrs: { role: "status" } });
  const loss = lossCurve(total);
  const samples = strip(model.get("alt"));
  const root = make("div", { className: "dl-widget dl-watch" }, [
    words,
    bar,
    make("div", { className: "dl-training" }, [loss.node, samples.node]),
    status,
  ]);

  const updates = {
    progress({ step, words: now, spoken }) {
      bar.setAttribute("aria-valuenow", step);
      bar.setAttribute("aria-valuetext", now);
      fill.style.width = `${(100 * step) / total}%`;
      words.textContent = now;
      if (status.textContent !== spoken) status.textContent = spoken;
    },
    curve: loss.put,
    stages: samples.put,
  };
  const listeners = Object.entries(updates).map(([name, put]) => [`change:${name}`, () => put(model.get(name))]);
  for (const [event, update] of listeners) {
    update();
    model.on(event, update);
  }
  return mount(el, root, () => listeners.forEach(([event, update]) => model.off?.(event, update)));
}

export default { render };
