// Shared by the widgets that show points in the plane: a square of SVG, so that the theme's colours
// hold in it. Points are x, y, x, y, ... in an array; y points up.

const HALF = 100; // the square reaches from -HALF to HALF in SVG units

/** An empty square that shows [-reach, reach] both ways, with its two axes. */
function planeSquare() {
  const cross = draw("path", { class: "dl-cross", d: `M${-HALF} 0H${HALF}M0 ${-HALF}V${HALF}` });
  return draw("svg", { viewBox: "-100 -100 200 200", role: "img", class: "dl-plane" }, cross);
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

/** A path of lines, each from a point to the one with the same number in `ends`. */
function segmentsPath(starts, ends, reach) {
  let path = "";
  for (let i = 0; 2 * i < starts.length; i += 1) path += `M${spot(starts, i, reach)}L${spot(ends, i, reach)}`;
  return path;
}

/** A path of arrows from `places`, each with a head that grows with it. */
function arrowsPath(places, vectors, reach) {
  let path = "";
  for (let i = 0; i < places.length; i += 2) {
    const [x, y, u, v] = [places[i], places[i + 1], vectors[i], vectors[i + 1]];
    const barb = (turn) => {
      const [cos, sin] = [0.4 * Math.cos(turn), 0.4 * Math.sin(turn)];
      return spot([x + u - cos * u - sin * v, y + v + sin * u - cos * v], 0, reach);
    };
    const tip = spot([x + u, y + v], 0, reach);
    path += `M${spot([x, y], 0, reach)}L${tip}M${barb(0.5)}L${tip}L${barb(-0.5)}`;
  }
  return path;
}
