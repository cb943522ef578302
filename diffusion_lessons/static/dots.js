// Shared by the widgets that show points in the plane: a square of SVG, so that the theme's colours
// hold in it. Points are x, y, x, y, ... in an array; y points up.

const HALF = 100; // the square reaches from -HALF to HALF in SVG units

/** An empty square that shows [-reach, reach] both ways, with its two axes. */
function planeSquare(attrs = {}) {
  const svg = draw("svg", { viewBox: "-100 -100 200 200", role: "img", class: "dl-plane", ...attrs });
  svg.append(draw("path", { class: "dl-cross", d: `M${-HALF} 0H${HALF}M0 ${-HALF}V${HALF}` }));
  return svg;
}

/** "x y" in SVG units of point `i`. */
function spot(points, i, reach) {
  const [x, y] = [(points[2 * i] / reach) * HALF, (-points[2 * i + 1] / reach) * HALF];
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

/** A path of dots: lines of no length, which round ends make visible. */
function dotsPath(points, reach) {
  let path = "";
  for (let i = 0; 2 * i < points.length; i += 1) path += `M${spot(points, i, reach)}h0`;
  return path;
}
