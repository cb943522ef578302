// The scrubber: all states are here already, so a key press is answered without the kernel.
// Pictures, bars and numbers are redrawn in one go, so that one frame of the screen shows them all.

const REST_MS = 250; // Python hears of the place when it has not changed for so long

/** Pictures: one canvas; its name for screen readers follows the stop. */
function picturesPanel(data) {
  const frames = bytesOf(data.data);
  const size = data.height * data.width * 3;
  const canvas = make("canvas", { width: data.width, height: data.height, attrs: { role: "img" } });
  canvas.style.setProperty("--dl-ratio", `${data.width} / ${data.height}`);
  return {
    node: panelOf(data, "dl-picture", canvas),
    put(choice, stop, stops, place) {
      paint(canvas, frames, (choice * stops + stop) * size);
      canvas.setAttribute("aria-label", `${data.alt}. At ${place}.`);
    },
  };
}

/** Bars: a histogram per stop, with a curve over it where there is one. */
function barsPanel(data, choices, stops) {
  const heights = floatsOf(data.data);
  const overlay = data.overlay && floatsOf(data.overlay.data);
  const edges = data.edges;
  const bins = edges.length - 1;
  const x = across(edges[0], edges[bins]);
  const y = upwards(0, data.top);
  const svg = plot();
  axes(svg, x, ticks(edges[0], edges[bins]), y, ticks(0, data.top, 3));
  const bars = draw("path", { class: "dl-bars" });
  const curve = draw("path", { class: "dl-over" });
  const cut = draw("text", { class: "dl-tick", x: BOX.left + INNER_W, y: 11, "text-anchor": "end" });
  svg.append(bars, curve, cut);
  const key = data.overlay
    ? [keyRow([[swatch("dl-bars"), "measured"], [swatch("dl-over"), data.overlay.name]])]
    : [];
  return {
    node: panelOf(data, "dl-graph", svg, key),
    put(choice, stop, count, place) {
      const from = (choice * count + stop) * bins;
      let steps = `M${x(edges[0])} ${y(0)}`;
      let highest = 0;
      for (let i = 0; i < bins; i += 1) {
        const height = heights[from + i];
        highest = Math.max(highest, height);
        const top = y(Math.min(height, data.top)).toFixed(1);
        steps += `L${x(edges[i]).toFixed(1)} ${top}L${x(edges[i + 1]).toFixed(1)} ${top}`;
      }
      bars.setAttribute("d", `${steps}L${x(edges[bins])} ${y(0)}Z`);
      if (overlay) {
        const points = Array.from({ length: bins }, (_, i) => [
          (edges[i] + edges[i + 1]) / 2,
          Math.min(overlay[from + i], data.top),
        ]);
        curve.setAttribute("d", pathOf(points, x, y));
      }
      cut.textContent = highest > data.top ? `tallest bar ${said(highest)}, cut` : "";
      svg.setAttribute("aria-label", `${data.alt}. At ${place}.`);
    },
  };
}

function swatch(kind) {
  const svg = draw("svg", { class: "dl-swatch", viewBox: "0 0 22 12", "aria-hidden": "true" });
  svg.append(
    kind === "dl-bars"
      ? draw("rect", { class: kind, x: 3, y: 1, width: 16, height: 10 })
      : draw("line", { class: kind, x1: 1, x2: 21, y1: 6, y2: 6 }),
  );
  return svg;
}

/** A curve: lines stand still; markers and numbers move. With choices, each has its own colour and
 * dashes, and those not chosen stay faint. */
function curvePanel(data, choices, stops, xName) {
  const xs = floatsOf(data.x);
  const height = (value) => {
    if (!data.log_y) return value;
    return value > 0 ? Math.log10(Math.max(value, data.low)) : NaN;
  };
  const lines = data.lines.map(({ name, data: values }) => ({ name, values: floatsOf(values) }));
  const [low, high] = [height(data.low), height(data.high)];
  const x = across(Math.min(...xs), Math.max(...xs));
  const y = upwards(low, high);
  const svg = plot();
  const marks = data.log_y ? ticks(low, high, 4).filter(Number.isInteger) : ticks(low, high, 4);
  axes(svg, x, ticks(Math.min(...xs), Math.max(...xs)), y, marks, data.log_y ? powerOfTen : said);
  svg.append(draw("text", { class: "dl-tick dl-name", x: BOX.left + INNER_W / 2, y: BOX.height - 1, "text-anchor": "middle" }, xName));
  const guide = draw("line", { class: "dl-guide", y1: BOX.top, y2: BOX.top + INNER_H });
  svg.append(guide);
  const parts = lines.map(({ name, values }, i) => {
    const looks = Array.from({ length: choices }, (_, c) => {
      const style = (i * choices + c) % 4;
      const points = Array.from({ length: stops }, (_, s) => [xs[c * stops + s], height(values[c * stops + s])]);
      const path = draw("path", { class: `dl-line dl-style${style}`, d: pathOf(points, x, y) });
      return { path, marker: markerOf(i, style), sign: keyOf(i, style) };
    });
    const number = make("b");
    svg.append(...looks.map(({ path }) => path), ...looks.map(({ marker }) => marker));
    return { name, values, looks, number, key: [...looks.map(({ sign }) => sign), `${name} `, number] };
  });
  return {
    node: panelOf(data, "dl-graph", svg, [keyRow(parts.map((part) => part.key))]),
    put(choice, stop, count, place) {
      const at = choice * count + stop;
      const px = x(xs[at]);
      guide.setAttribute("x1", px);
      guide.setAttribute("x2", px);
      for (const { values, looks, number } of parts) {
        const value = height(values[at]);
        const placed = Number.isFinite(value);
        looks.forEach(({ path, marker, sign }, c) => {
          path.classList.toggle("dl-faint", c !== choice);
          marker.style.display = placed && c === choice ? "" : "none";
          sign.style.display = c === choice ? "" : "none";
        });
        if (placed) looks[choice].marker.setAttribute("transform", `translate(${px} ${y(value)})`);
        number.textContent = said(values[at]);
      }
      const numbers = parts.map(({ name, number }) => `${name} ${number.textContent}`).join(", ");
      svg.setAttribute("aria-label", `${data.alt}. At ${place}: ${numbers}.`);
    },
  };
}

function powerOfTen(power) {
  return `10${raised(power)}`;
}

/** Each line has its own marker shape; colour and dashes also tell the choices apart. */
function markerOf(i, style) {
  const shapes = ["M0-5.5A5.5 5.5 0 1 1 0 5.5A5.5 5.5 0 1 1 0-5.5Z", "M-5-5H5V5H-5Z", "M0-7L6.5 5H-6.5Z", "M0-7L7 0L0 7L-7 0Z"];
  return draw("path", { class: `dl-marker dl-style${style}`, d: shapes[i % 4] });
}

function keyOf(i, style) {
  const svg = draw("svg", { class: "dl-swatch dl-wide", viewBox: "-17 -8 34 16", "aria-hidden": "true" });
  svg.append(draw("line", { class: `dl-line dl-style${style}`, x1: -17, x2: 17, y1: 0, y2: 0 }), markerOf(i, style));
  return svg;
}

/** Points in the plane: dots that move over faint squares that rest, arrows, the way so far. */
function pointsPanel(data, choices, stops) {
  const positions = floatsOf(data.data);
  const size = positions.length / (choices * stops);
  const at = (choice, stop) => positions.subarray((choice * stops + stop) * size, (choice * stops + stop + 1) * size);
  const svg = planeSquare();
  const layer = (kind) => svg.appendChild(draw("path", { class: kind }));
  const [behind, ways, shafts, dots] = ["dl-behind", "dl-ways", "dl-arrows", "dl-dots"].map(layer);
  if (data.behind) behind.setAttribute("d", dotsPath(floatsOf(data.behind.data), data.reach));
  const places = data.arrows && floatsOf(data.arrows.places);
  const vectors = data.arrows && floatsOf(data.arrows.data);
  const pieces = new Map(); // the ways of the first points from one stop to the next
  function piece(choice, stop) {
    const key = choice * stops + stop;
    if (!pieces.has(key)) {
      const first = (s) => at(choice, s).subarray(0, 2 * data.trails);
      pieces.set(key, segmentsPath(first(stop - 1), first(stop), data.reach));
    }
    return pieces.get(key);
  }
  const signs = [["dl-dots", "points"]];
  if (data.trails) signs.push(["dl-ways", "ways of some"]);
  if (data.behind) signs.push(["dl-behind", data.behind.name]);
  if (data.arrows) signs.push(["dl-arrows", data.arrows.name]);
  return {
    node: panelOf(data, "dl-graph", svg, [keyRow(signs.map(([kind, name]) => [planeSign(kind), name]))]),
    put(choice, stop, count, place) {
      dots.setAttribute("d", dotsPath(at(choice, stop), data.reach));
      if (places) {
        const from = (choice * count + stop) * places.length;
        shafts.setAttribute("d", arrowsPath(places, vectors.subarray(from, from + places.length), data.reach));
      }
      if (data.trails) {
        const soFar = Array.from({ length: stop }, (_, s) => piece(choice, s + 1));
        ways.setAttribute("d", soFar.join(""));
      }
      svg.setAttribute("aria-label", `${data.alt}. At ${place}.`);
    },
  };
}

function planeSign(kind) {
  const svg = draw("svg", { class: "dl-swatch", viewBox: "-11 -6 22 12", "aria-hidden": "true" });
  const shapes = { "dl-ways": "M-9 0H9", "dl-arrows": "M-9 0H9M4-4L9 0L4 4" };
  svg.append(draw("path", { class: kind, d: shapes[kind] ?? "M-5 0h0M5 0h0" }));
  return svg;
}

function panelOf(data, kind, picture, more = []) {
  const title = make("figcaption", { textContent: data.title });
  return make("figure", { className: `dl-panel ${kind}` }, [title, picture, ...more]);
}

const PANELS = { pictures: picturesPanel, bars: barsPanel, curve: curvePanel, points: pointsPanel };

function longest(texts) {
  return texts.reduce((most, text) => (text.length > most.length ? text : most), "");
}

function render({ model, el }) {
  const [stops, words, choose] = [model.get("stops"), model.get("words"), model.get("choose")];
  const count = stops[0].length;
  const choices = stops.length;
  const panels = model.get("panels").map((data) => PANELS[data.kind](data, choices, count, model.get("name")));
  const sentence = make("p", { className: "dl-words", id: idOf("words") });
  const room = longest(words.flat()); // keeps the panels where they are while sentences change
  let resting = 0;

  const bar = slider(model.get("name"), stops[model.get("choice")], model.get("index"), moved, tell);
  bar.input.setAttribute("aria-describedby", sentence.id);
  const options = choose && radios(choose.name, choose.options, model.get("choice"), moved);
  const choice = () => (options ? options.place() : 0);

  function show() {
    const [c, s] = [choice(), bar.place()];
    bar.say(stops[c][s]);
    const place = choose ? `${choose.options[c]}, ${stops[c][s]}` : stops[c][s];
    for (const panel of panels) panel.put(c, s, count, place);
    sentence.textContent = words[c][s];
  }
  function moved() {
    show();
    tell();
  }
  function tell() {
    clearTimeout(resting);
    resting = setTimeout(() => {
      model.set("index", bar.place());
      model.set("choice", choice());
      model.save_changes();
    }, REST_MS);
  }
  function go(stop) {
    bar.put(stop);
    moved();
  }

  const play = player(() => go(bar.place() + 1), () => bar.place() === count - 1, () => go(0));
  bar.input.addEventListener("pointerdown", play.pause);
  bar.input.addEventListener("keydown", play.pause);
  const reset = button("Start again", () => {
    play.pause();
    if (options) options.put(0);
    go(0);
  });
  const is = (kind) => panels.filter((_, i) => (model.get("panels")[i].kind === "pictures") === kind).map((p) => p.node);
  const root = make("div", { className: "dl-widget" }, [
    make("div", { className: "dl-controls" }, [
      ...(options ? [options.node] : []),
      bar.node,
      make("div", { className: "dl-buttons" }, [play.node, reset]),
    ]),
    make("div", { className: "dl-sentence", attrs: { "data-room": room } }, [sentence]),
    make("div", { className: "dl-panels" }, [
      make("div", { className: "dl-pictures" }, is(true)),
      make("div", { className: "dl-graphs" }, is(false)),
    ]),
  ]);
  show();
  return mount(el, root, () => {
    clearTimeout(resting);
    play.leave();
  });
}

export default { render };
