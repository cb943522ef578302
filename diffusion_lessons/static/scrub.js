// The scrubber: all states are here already, so a key press is answered without the kernel.
// Pictures, bars and numbers are redrawn in one go, so that one frame of the screen shows them all.
//
// A panel is { picture, key, put }: put(at, choice, stop) shows the state with number `at`, and returns
// numbers in words where it has some.

const REST_MS = 250; // Python hears of the place when it has not changed for so long

function picturesPanel(data) {
  const canvas = make("canvas", { attrs: { role: "img" } });
  canvas.style.setProperty("--dl-ratio", `${data.width} / ${data.height}`);
  return { picture: canvas, put: (at) => paint(canvas, data, at) };
}

/** Bars: a histogram per stop, with a curve over it where there is one. */
function barsPanel({ data, overlay, edges, top }) {
  const heights = floatsOf(data);
  const curves = overlay && floatsOf(overlay.data);
  const bins = edges.length - 1;
  const x = across(edges[0], edges[bins]);
  const y = upwards(0, top);
  const svg = plot();
  axes(svg, x, ticks(edges[0], edges[bins]), y, ticks(0, top, 3));
  const bars = draw("path", { class: "dl-bars" });
  const curve = draw("path", { class: "dl-over" });
  const cut = draw("text", { class: "dl-tick", x: BOX.left + INNER_W, y: 11, "text-anchor": "end" });
  svg.append(bars, curve, cut);
  const swatch = (shape) => sign("0 0 22 12", shape);
  const measured = draw("rect", { class: "dl-bars", x: 3, y: 1, width: 16, height: 10 });
  const drawn = draw("line", { class: "dl-over", x1: 1, x2: 21, y1: 6, y2: 6 });
  return {
    picture: svg,
    key: overlay && [[swatch(measured), "measured"], [swatch(drawn), overlay.name]],
    put(at) {
      const part = heights.subarray(at * bins, (at + 1) * bins);
      let steps = `M${x(edges[0])} ${y(0)}`;
      part.forEach((height, i) => {
        const level = y(Math.min(height, top)).toFixed(1);
        steps += `L${x(edges[i]).toFixed(1)} ${level}L${x(edges[i + 1]).toFixed(1)} ${level}`;
      });
      bars.setAttribute("d", `${steps}L${x(edges[bins])} ${y(0)}Z`);
      const middle = (i) => (edges[i] + edges[i + 1]) / 2;
      const points = [...part].map((_, i) => [middle(i), curves && Math.min(curves[at * bins + i], top)]);
      if (curves) curve.setAttribute("d", pathOf(points, x, y));
      const highest = Math.max(...part);
      cut.textContent = highest > top ? `tallest bar ${numberWords(highest)}, cut` : "";
    },
  };
}

/** A curve: lines stand still; markers and numbers move. With choices, each has its own colour and
 * dashes, and those not chosen stay faint. */
function curvePanel(data, choices, stops, xName) {
  const xs = floatsOf(data.x);
  const height = (value) => {
    if (!data.log_y) return value;
    return value > 0 ? Math.log10(Math.max(value, data.low)) : NaN;
  };
  const [low, high] = [height(data.low), height(data.high)];
  const x = across(Math.min(...xs), Math.max(...xs));
  const y = upwards(low, high);
  const svg = plot();
  const marks = data.log_y ? ticks(low, high, 4).filter(Number.isInteger) : ticks(low, high, 4);
  axes(svg, x, ticks(Math.min(...xs), Math.max(...xs)), y, marks, xName, data.log_y ? powerOfTen : numberWords);
  const guide = draw("line", { class: "dl-guide", y1: BOX.top, y2: BOX.top + INNER_H });
  svg.append(guide);
  const lines = data.lines.map((line, i) => {
    const values = floatsOf(line.data);
    const looks = Array.from({ length: choices }, (_, c) => {
      const style = (i * choices + c) % 4;
      const points = Array.from({ length: stops }, (_, s) => [xs[c * stops + s], height(values[c * stops + s])]);
      const path = draw("path", { class: `dl-line dl-style${style}`, d: pathOf(points, x, y) });
      const stroke = draw("line", { class: `dl-line dl-style${style}`, x1: -17, x2: 17, y1: 0, y2: 0 });
      const inKey = sign("-17 -8 34 16", stroke, markerOf(i, style));
      inKey.classList.add("dl-wide");
      return { path, marker: markerOf(i, style), inKey };
    });
    svg.append(...looks.map(({ path }) => path), ...looks.map(({ marker }) => marker));
    return { name: line.name, values, looks, number: make("b") };
  });
  return {
    picture: svg,
    key: lines.map(({ name, looks, number }) => [...looks.map(({ inKey }) => inKey), `${name} `, number]),
    put(at, choice) {
      const px = x(xs[at]);
      guide.setAttribute("x1", px);
      guide.setAttribute("x2", px);
      const numbers = lines.map(({ name, values, looks, number }) => {
        const value = height(values[at]);
        const placed = Number.isFinite(value);
        looks.forEach(({ path, marker, inKey }, c) => {
          path.classList.toggle("dl-faint", c !== choice);
          marker.style.display = placed && c === choice ? "" : "none";
          inKey.style.display = c === choice ? "" : "none";
        });
        if (placed) looks[choice].marker.setAttribute("transform", `translate(${px} ${y(value)})`);
        number.textContent = numberWords(values[at]);
        return `${name} ${number.textContent}`;
      });
      return numbers.join(", ");
    },
  };
}

const powerOfTen = (power) => `10${raised(power)}`;

/** Each line has its own marker shape; colour and dashes also tell the choices apart. */
function markerOf(i, style) {
  const shapes = ["M0-5.5A5.5 5.5 0 1 1 0 5.5A5.5 5.5 0 1 1 0-5.5Z", "M-5-5H5V5H-5Z", "M0-7L6.5 5H-6.5Z", "M0-7L7 0L0 7L-7 0Z"];
  return draw("path", { class: `dl-marker dl-style${style}`, d: shapes[i % 4] });
}

/** Points in the plane: dots that move over faint squares that rest, arrows, the way so far. */
function pointsPanel({ data, behind, arrows, trails, reach }, choices, stops) {
  const positions = floatsOf(data);
  const size = positions.length / (choices * stops);
  const state = (at) => positions.subarray(at * size, (at + 1) * size);
  const svg = planeSquare();
  const layer = (kind) => svg.appendChild(draw("path", { class: kind }));
  const [faint, ways, shafts, dots] = ["dl-behind", "dl-ways", "dl-arrows", "dl-dots"].map(layer);
  if (behind) faint.setAttribute("d", dotsPath(floatsOf(behind.data), reach));
  const places = arrows && floatsOf(arrows.places);
  const vectors = arrows && floatsOf(arrows.data);
  /** The ways of the first points to a state from the one before. */
  function piece(at) {
    const first = (one) => state(one).subarray(0, 2 * trails);
    return segmentsPath(first(at - 1), first(at), reach);
  }
  const signs = [
    ["dl-dots", "points", "M-5 0h0M5 0h0"],
    trails && ["dl-ways", "ways of some", "M-9 0H9"],
    behind && ["dl-behind", behind.name, "M-5 0h0M5 0h0"],
    arrows && ["dl-arrows", arrows.name, "M-9 0H9M4-4L9 0L4 4"],
  ].filter(Boolean);
  return {
    picture: svg,
    key: signs.map(([kind, name, d]) => [sign("-11 -6 22 12", draw("path", { class: kind, d })), name]),
    put(at, choice, stop) {
      dots.setAttribute("d", dotsPath(state(at), reach));
      const from = places && at * places.length;
      if (places) shafts.setAttribute("d", arrowsPath(places, vectors.subarray(from, from + places.length), reach));
      ways.setAttribute("d", Array.from({ length: trails && stop }, (_, s) => piece(at - s)).reverse().join(""));
    },
  };
}

/** A sign in the key of a panel. */
function sign(viewBox, ...shapes) {
  return draw("svg", { class: "dl-swatch", viewBox, "aria-hidden": "true" }, ...shapes);
}

const PANELS = { pictures: picturesPanel, bars: barsPanel, curve: curvePanel, points: pointsPanel };

/** A panel under its title; the name for screen readers follows the stop. */
function panelOf(data, choices, stops, xName) {
  const { picture, key, put } = PANELS[data.kind](data, choices, stops, xName);
  const title = make("figcaption", { textContent: data.title });
  const kind = data.kind === "pictures" ? "dl-picture" : "dl-graph";
  return {
    kind,
    node: make("figure", { className: `dl-panel ${kind}` }, [title, picture, ...(key ? [keyRow(key)] : [])]),
    put(choice, stop, place) {
      const numbers = put(choice * stops + stop, choice, stop);
      picture.setAttribute("aria-label", `${data.alt}. At ${place}${numbers ? `: ${numbers}` : ""}.`);
    },
  };
}

function render({ model, el }) {
  const [stops, words, choose] = [model.get("stops"), model.get("words"), model.get("choose")];
  const count = stops[0].length;
  const choices = stops.length;
  const panels = model.get("panels").map((data) => panelOf(data, choices, count, model.get("name")));
  const sentence = make("p", { className: "dl-words", id: idOf("words") });
  // The longest sentence keeps the panels where they are while sentences change.
  const room = words.flat().reduce((most, text) => (text.length > most.length ? text : most), "");
  let resting = 0;

  const bar = slider(model.get("name"), stops[model.get("choice")], model.get("index"), moved, tell);
  bar.input.setAttribute("aria-describedby", sentence.id);
  const options = choose && radios(choose.name, choose.options, model.get("choice"), moved);
  const choice = () => (options ? options.place() : 0);

  function show() {
    const [c, s] = [choice(), bar.place()];
    bar.restock(stops[c]);
    const place = choose ? `${choose.options[c]}, ${stops[c][s]}` : stops[c][s];
    for (const panel of panels) panel.put(c, s, place);
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

  const play = player(bar, go);
  const reset = button("Start again", () => {
    play.pause();
    if (options) options.put(0);
    go(0);
  });
  const nodes = (kind) => panels.filter((panel) => panel.kind === kind).map((panel) => panel.node);
  const root = make("div", { className: "dl-widget" }, [
    make("div", { className: "dl-controls" }, [
      ...(options ? [options.node] : []),
      bar.node,
      make("div", { className: "dl-buttons" }, [play.node, reset]),
    ]),
    make("div", { className: "dl-sentence", attrs: { "data-room": room } }, [sentence]),
    make("div", { className: "dl-panels" }, [
      make("div", { className: "dl-pictures" }, nodes("dl-picture")),
      make("div", { className: "dl-graphs" }, nodes("dl-graph")),
    ]),
  ]);
  show();
  return mount(el, root, () => {
    clearTimeout(resting);
    play.leave();
  });
}

export default { render };
