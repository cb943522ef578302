// PointNet of lesson 03, trained as `training.train` does it (v prediction, Muon and AdamW, a running average),
// with the lesson's seeds, and walked by DDIM. n points lie as (2, n): all x, then all y.

import { Heap } from "./heap.js";
import { layersOn } from "./layers.js";
import { normals, randn, share, twister } from "./noise.js";
import { functionsOf } from "./painter.js";
import { rates, times } from "./walk.js";

const [STEPS, BATCH, SHOWN, WALK] = [1000, 256, [20, 60, 150, 400, 1000], 32];
const SIZES = [82, 64, 64, 64, 2]; // what goes into each layer, and out of the last
const WIDTHS = SIZES.map((size) => (size + 7) & ~7); // filled up with zeros: product.wat works on eights
const INNER = [2, 4]; // Muon trains these arrays of a network, the weights in the middle; AdamW the others
const PLACE = Float32Array.from({ length: 8 }, (_, i) => Math.PI * 2 ** ((i >> 1) - 1)); // waves of x and y
const TIME = Float32Array.from({ length: 32 }, (_, i) => 1000 ** (i / 31));

const apart = (pairs) => pairs.map((_, i) => pairs[(2 * i) % pairs.length + (2 * i < pairs.length ? 0 : 1)]);
const paired = (x) => x.map((_, i) => x[(i >> 1) + (i % 2) * (x.length / 2)]);
const squares = (values) => values.reduce((sum, value) => sum + value * value, 0);

/** What learns points. Networks stay in its heap, all else until it forgets. */
export async function pointNet() {
  const heap = new Heap([]);
  const { linear, permute } = layersOn(heap, await functionsOf(heap));
  const turn = (x, rows, columns) => permute(x, [rows, columns], [1, 0]);

  /** The product of a matrix (rows, columns) and x (columns, n); plus the bias, where there is one. */
  function multiply(matrix, x, rows, columns, n, bias = { byteOffset: 0 }) {
    return linear({ weight: { data: matrix, shape: [rows, columns] }, bias: { data: bias } }, x, n);
  }

  /** A network, [weight, bias, weight, bias...], with the numbers that nn.Linear draws at first. */
  function network(next) {
    const drawn = WIDTHS.slice(1).flatMap((rows, at) => [WIDTHS[at], 1].map((columns) => {
      const number = (_, i) => (i < SIZES[at + 1] * columns && i % columns < SIZES[at] ? 2 * share(next) - 1 : 0);
      return heap.put(Float32Array.from({ length: rows * columns }, number).map((part) => part / Math.sqrt(SIZES[at])));
    }));
    heap.begin = heap.at;
    return drawn;
  }

  /** x, and waves of it and of the time: (88, n). */
  function features(x, t) {
    const [n, out] = [t.length, heap.take(WIDTHS[0] * t.length).fill(0)];
    out.set(x);
    for (const [row, speeds, of] of [[2, PLACE, x], [18, TIME, t]]) {
      for (let i = 0; i < speeds.length * n; i++) {
        const angle = Math.fround(speeds[Math.floor(i / n)] * of[i % of.length]);
        out[row * n + i] = Math.sin(angle);
        out[(row + speeds.length) * n + i] = Math.cos(angle);
      }
    }
    return out;
  }

  /** Return h before and after each layer, and the slope of the silu that made it. */
  function forward(network, x, t) {
    const seen = [{ h: features(x, t) }];
    for (let at = 0; at < 4; at++) {
      const [matrix, bias] = network.slice(2 * at);
      const h = multiply(matrix, seen[at].h, WIDTHS[at + 1], WIDTHS[at], t.length, bias);
      const slope = new Float32Array(at < 3 ? h.length : 0); // none at the end
      for (let i = 0; i < slope.length; i++) {
        const gate = 1 / (1 + Math.exp(-h[i]));
        [slope[i], h[i]] = [gate * (1 + h[i] * (1 - gate)), h[i] * gate];
      }
      seen.push({ h, slope });
    }
    return seen;
  }

  /** Return the mean squared error in v, and its gradient for each array of the network, by the chain rule. */
  function gradient(network, x_0, t, eps) {
    const [n, mixed] = [t.length, Array.from(t, rates)];
    const mix = (of) => x_0.map((clean, i) => of(...mixed[i % n], clean, eps[i]));
    const seen = forward(network, mix((a, b, clean, noise) => a * clean + b * noise), t);
    const error = mix((a, b, clean, noise) => a * noise - b * clean).map((v, i) => seen[4].h[i] - v);
    let d = heap.take(WIDTHS[4] * n).fill(0); // of the loss, by what leaves a layer
    d.set(error.map((off) => off / n)); // 2 off / 2n
    const gradients = [];
    for (let at = 3; at >= 0; at--) {
      const [columns, rows] = [WIDTHS[at], WIDTHS[at + 1]];
      const bias = new Float32Array(rows);
      for (let i = 0; i < d.length; i++) bias[Math.floor(i / n)] += d[i];
      gradients.unshift(multiply(d, turn(seen[at].h, columns, n), rows, n, columns), bias);
      if (at) d = multiply(turn(network[2 * at], rows, columns), d, columns, rows, n);
      if (at) for (let i = 0; i < d.length; i++) d[i] *= seen[at].slope[i];
    }
    return { loss: squares(error) / error.length, gradients };
  }

  /** The momentum of a gradient, its singular values near 1 (Jordan et al. 2024), as long as a step of AdamW. */
  function muon(g, momentum) {
    const side = Math.sqrt(g.length);
    const ahead = g.map((value, i) => value + 0.95 * (momentum[i] = 0.95 * momentum[i] + value));
    const length = Math.sqrt(squares(ahead)) + 1e-7;
    let x = heap.put(ahead.map((value) => value / length));
    for (let round = 0; round < 5; round++) {
      const two = multiply(x, turn(x, side, side), side, side, side);
      const four = multiply(two, two, side, side, side);
      for (let i = 0; i < g.length; i++) four[i] = 2.0315 * four[i] - 4.775 * two[i] + (i % (side + 1) ? 0 : 3.4445);
      x = multiply(four, x, side, side, side);
    }
    return x.map((value) => 0.2 * Math.sqrt(side) * value);
  }

  /** The way of AdamW (Loshchilov and Hutter 2019); weights decay in `optimiser`. */
  const adam = (g, mean, square, count) => g.map((value, i) => {
    mean[i] += 0.1 * (value - mean[i]);
    square[i] += 0.01 * (value * value - square[i]);
    return mean[i] / (1 - 0.9 ** count) / (Math.sqrt(square[i] / (1 - 0.99 ** count)) + 1e-8);
  });

  /** Return what takes a step of `training.Fit`, from the gradients and the step's number. */
  function optimiser(network, average) {
    const state = network.map((w) => [new Float32Array(w.length), new Float32Array(w.length)]);
    return (gradients, step) => {
      const rate = 0.02 * Math.min((step + 1) / 50, 0.5 + 0.5 * Math.cos((Math.PI * step) / STEPS));
      const clip = Math.min(1, 1 / (Math.hypot(...gradients.map((g) => Math.sqrt(squares(g)))) + 1e-6));
      const follow = 1 - Math.min(0.999, (1 + step) / (10 + step));
      network.forEach((w, at) => {
        const [g, inner] = [gradients[at].map((value) => value * clip), INNER.includes(at)];
        const way = inner ? muon(g, state[at][0]) : adam(g, ...state[at], step + 1);
        for (let i = 0; i < w.length; i++) {
          w[i] -= rate * (inner ? 1 : 0.3) * (way[i] + 0.01 * w[i]);
          average[at][i] += follow * (w[i] - average[at][i]);
        }
      });
    };
  }

  /** Walk from noise by DDIM (Song et al. 2021, eq. 12); return where x is at each time. */
  function ddim(network, x, steps) {
    const [at, way] = [times(steps), [x]];
    for (let step = 0; step < steps; step++) {
      heap.forget();
      const v = forward(network, x, new Float32Array(x.length / 2).fill(at[step]))[4].h;
      const [[a, b], [a_next, b_next]] = [rates(at[step]), rates(at[step + 1])];
      x = x.map((value, i) => a_next * (a * value - b * v[i]) + b_next * (b * value + a * v[i]));
      way.push(x);
    }
    return way;
  }

  /** Learn points, x, y, x, y...; yield {step, loss, way}, the way of a cloud to them or null. */
  function* learn(points) {
    const [net, average] = [network(twister(0)), network(twister(0))];
    const [update, cloud] = [optimiser(net, average), apart(randn(800, 4))];
    for (let step = 0; step < STEPS; step++) {
      heap.forget();
      const [which, dice] = [twister(step), twister(2 ** 31 + step)];
      const rows = Array.from({ length: BATCH }, () => 2 * (which() % (points.length / 2)));
      const x_0 = Float32Array.from([...rows, ...rows.map((row) => row + 1)], (place) => points[place]);
      const begin = share(dice); // of 256 times, one in each of equal parts
      const t = Float32Array.from(rows, (_, i) => 0.001 + 0.999 * Math.fround(Math.fround(begin + i / BATCH) % 1));
      const { loss, gradients } = gradient(net, x_0, t, apart(normals(2 * BATCH, dice)));
      update(gradients, step);
      yield { step: step + 1, loss, way: SHOWN.includes(step + 1) ? ddim(average, cloud, WALK).map(paired) : null };
    }
  }

  return { heap, network, forward, gradient, optimiser, ddim, learn };
}
