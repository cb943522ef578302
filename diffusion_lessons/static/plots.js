// Shared by the widgets that draw: plots with axes as SVG, so that the theme's colours hold in them.

const BOX = { width: 320, height: 198, left: 38, right: 12, top: 18, bottom: 36 };
const INNER_W = BOX.width - BOX.left - BOX.right;
const INNER_H = BOX.height - BOX.top - BOX.bottom;

function plot() {
  return draw("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", class: "dl-plot" });
}

/** Maps [low, high] to the plot's width or, upside down, its height. */
function across(low, high) {
  return (value) => BOX.left + ((value - low) / (high - low || 1)) * INNER_W;
}
function upwards(low, high) {
  return (value) => BOX.top + INNER_H - ((value - low) / (high - low || 1)) * INNER_H;
}

/** Round numbers between low and high, about `wish` of them. */
function ticks(low, high, wish = 4) {
  const rough = (high - low || 1) / wish;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const marks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n += 1) {
    marks.push(Number((n * step).toPrecision(6)));
  }
  return marks;
}

/** Axes with marks at `xs` and `ys`; `xName` stands below. */
function axes(svg, x, xs, y, ys, xName = "", yText = numberWords) {
  for (const mark of ys) {
    svg.append(
      draw("line", { class: "dl-grid", x1: BOX.left, x2: BOX.left + INNER_W, y1: y(mark), y2: y(mark) }),
      draw("text", { class: "dl-tick", x: BOX.left - 6, y: y(mark) + 4, "text-anchor": "end" }, yText(mark)),
    );
  }
  const base = BOX.top + INNER_H;
  svg.append(draw("line", { class: "dl-axis", x1: BOX.left, x2: BOX.left + INNER_W, y1: base, y2: base }));
  const below = (px, py, text) => draw("text", { class: "dl-tick", x: px, y: py, "text-anchor": "middle" }, text);
  for (const mark of xs) svg.append(below(x(mark), base + 16, numberWords(mark)));
  svg.append(below(BOX.left + INNER_W / 2, BOX.height - 2, xName));
}

/** What the signs in a plot mean; a sign and its words stay on one line. */
function keyRow(entries) {
  return make("p", { className: "dl-key" }, entries.map((entry) => make("span", {}, entry)));
}

/** A path through points; a value that cannot be drawn leaves a gap. */
function pathOf(points, x, y) {
  let pen = "M";
  let path = "";
  for (const [px, py] of points) {
    if (Number.isFinite(py)) path += `${pen}${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
    pen = Number.isFinite(py) ? "L" : "M";
  }
  return path;
}
