// The layers that the networks are made of, by the names of torch.nn and of the course's package.
// A map is {data, channels, n, side}: n pictures side by side, data[channel][picture][y][x].

const GROUPS = 8;
const EPS = 1e-5;
const HEAD = 32; // channels of an attention head
const FLAT = -30; // silu is nearly 0 below; numbers so small make a processor ten times slower

export const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/** Add the numbers of b to those of a, where they lie. */
export function add(a, b) {
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  return a;
}

/** heap: see heap.js. functions: those of product.wat, or others that do the same. */
export function layersOn(heap, { product, convolution }) {
  const flat = (places) => heap.table(`${places} places`, () =>
    Array.from({ length: places / 8 }, (_, i) => [32 * i, 32 * i + 16, 32 * i]).flat());

  const padded = (n, side) => heap.table(`${n} padded maps of ${side}`, () => {
    const at = (place) => {
      const [map, y, x] = [Math.floor(place / side ** 2), Math.floor(place / side) % side, place % side];
      return 4 * ((map * (side + 2) + y) * (side + 2) + x);
    };
    return Array.from({ length: (n * side ** 2) / 8 }, (_, i) => [at(8 * i), at(8 * i + 4), 32 * i]).flat();
  });

  /** y (rows, places) = w (rows, channels) x (channels, places); rows and places lie `far` apart. */
  function multiply(w, x, rows, channels, places, { bias, far = places, y, out = places } = {}) {
    y ??= heap.take(((rows + 3) & ~3) * out);
    const { bytes, eights } = flat(places);
    product(w.byteOffset, bias?.byteOffset ?? 0, x.byteOffset, y.byteOffset,
      rows, channels, 4 * far, 0, 4 * out, bytes, eights);
    return y;
  }

  /** A linear map at each place: x (channels, places) to (rows, places). */
  function linear({ weight, bias }, x, places) {
    const [rows, channels] = weight.shape;
    return multiply(weight.data, x, rows, channels, places, { bias: bias.data }).subarray(0, rows * places);
  }

  const conv1 = (layer, m) => ({
    ...m, channels: layer.weight.shape[0], data: linear(layer, m.data, m.n * m.side ** 2),
  });

  function conv3({ weight, bias }, m) {
    const [rows, channels] = weight.shape;
    const [places, wide] = [m.n * m.side ** 2, m.side + 2];
    const x = pad(m);
    const y = heap.take(((rows + 3) & ~3) * places);
    const { bytes, eights } = padded(m.n, m.side);
    convolution(weight.data.byteOffset, bias.data.byteOffset, x.byteOffset, y.byteOffset,
      rows, channels, 4 * m.n * wide ** 2, 4 * wide, 4 * places, bytes, eights);
    return { ...m, channels: rows, data: y.subarray(0, rows * places) };
  }

  /** A rim of zeros around each map; 8 numbers more, which the last eight places may read. */
  function pad({ data, channels, n, side }) {
    const wide = side + 2;
    const out = heap.take(channels * n * wide ** 2 + 8).fill(0);
    for (let map = 0; map < channels * n; map++) {
      for (let y = 0; y < side; y++) {
        const [from, to] = [(map * side + y) * side, (map * wide + y + 1) * wide + 1];
        for (let x = 0; x < side; x++) out[to + x] = data[from + x];
      }
    }
    return out;
  }

  /** Group norm; then silu, if `bend`; `more`: (2 channels) of scale and shift, the same for all n. */
  function groupNorm({ weight, bias }, m, bend = true, more = null) {
    const [places, each] = [m.side ** 2, m.channels / GROUPS];
    const out = heap.take(m.data.length);
    for (let picture = 0; picture < m.n; picture++) {
      for (let group = 0; group < GROUPS; group++) {
        const rows = Array.from({ length: each }, (_, i) => group * each + i);
        const begin = (channel) => (channel * m.n + picture) * places;
        const [mean, scale] = spread(m.data, rows.map(begin), places);
        for (const channel of rows) {
          let factor = weight.data[channel] * scale;
          let plus = bias.data[channel] - mean * factor;
          if (more) {
            factor *= 1 + more[channel];
            plus = plus * (1 + more[channel]) + more[m.channels + channel];
          }
          stretch(m.data, out, begin(channel), places, factor, plus, bend);
        }
      }
    }
    return { ...m, data: out };
  }

  /** Layer norm of each place, over its channels. */
  function layerNorm({ weight, bias }, x, places) {
    const [channels, out] = [x.length / places, heap.take(x.length)];
    for (let place = 0; place < places; place++) {
      let [sum, squares] = [0, 0];
      for (let i = place; i < x.length; i += places) {
        sum += x[i];
        squares += x[i] ** 2;
      }
      const mean = sum / channels;
      const scale = 1 / Math.sqrt(squares / channels - mean ** 2 + EPS);
      for (let c = 0, i = place; c < channels; c++, i += places) {
        out[i] = (x[i] - mean) * scale * weight.data[c] + bias.data[c];
      }
    }
    return out;
  }

  /**
   * What the places of one picture find: softmax(k q / sqrt(32)) along the words, times v.
   * q: 32 rows `far` apart. k: (words, 32). v: 32 rows of words. The answer is put into y.
   */
  function attend(q, far, places, k, v, words, y) {
    const scores = multiply(k, q, words, HEAD, places, { far });
    softmax(scores, words, places);
    multiply(v, scores, HEAD, words, places, { y, out: far });
  }

  /** (rows, columns) to (columns, rows). */
  function turn(x, rows, columns, far = columns) {
    const out = heap.take(rows * columns);
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = x[r * far + c];
    return out;
  }

  /** Each head of each of n pictures attends: q, k, v are (channels, n * places). */
  function selfAttention(q, k, v, n, places) {
    const all = n * places;
    const found = heap.take(q.length);
    for (let picture = 0; picture < n; picture++) {
      for (let row = 0; row < q.length / all; row += HEAD) {
        const at = row * all + picture * places;
        const keys = turn(k.subarray(at), HEAD, places, all);
        const values = turn(turn(v.subarray(at), HEAD, places, all), places, HEAD);
        attend(q.subarray(at), all, places, keys, values, places, found.subarray(at));
      }
    }
    return found;
  }

  /** Squares of side 2 become one place of four times the channels; and back. */
  const unshuffle = (m) => reshuffle(m, { ...m, channels: 4 * m.channels, side: m.side / 2 }, false);
  const shuffle = (m) => reshuffle({ ...m, channels: m.channels / 4, side: 2 * m.side }, m, true, m.data);

  function reshuffle(fine, coarse, back, data = fine.data) {
    const out = heap.take(data.length);
    const { n, side } = fine;
    for (let c = 0; c < fine.channels; c++) {
      for (let picture = 0; picture < n; picture++) {
        for (let y = 0; y < side; y++) {
          for (let x = 0; x < side; x++) {
            const channel = 4 * c + 2 * (y & 1) + (x & 1);
            const small = ((channel * n + picture) * coarse.side + (y >> 1)) * coarse.side + (x >> 1);
            const large = ((c * n + picture) * side + y) * side + x;
            if (back) out[large] = data[small];
            else out[small] = data[large];
          }
        }
      }
    }
    return back ? { ...fine, data: out } : { ...coarse, data: out };
  }

  return {
    heap, multiply, linear, conv1, conv3, groupNorm, layerNorm, attend, turn, selfAttention,
    unshuffle, shuffle,
  };
}

/** Mean, and 1 / standard deviation, of `count` numbers from each of `begins`. */
function spread(data, begins, count) {
  let [sum, squares] = [0, 0];
  for (const begin of begins) {
    for (let i = begin; i < begin + count; i++) {
      sum += data[i];
      squares += data[i] * data[i];
    }
  }
  const mean = sum / (count * begins.length);
  return [mean, 1 / Math.sqrt(squares / (count * begins.length) - mean * mean + EPS)];
}

function stretch(from, to, begin, count, factor, plus, bend) {
  for (let i = begin; i < begin + count; i++) {
    const value = from[i] * factor + plus;
    to[i] = bend ? (value < FLAT ? 0 : value * sigmoid(value)) : value;
  }
}

/** A softmax down each column of (words, places), after the division by sqrt(32). */
function softmax(scores, words, places) {
  const scale = HEAD ** -0.5;
  for (let place = 0; place < places; place++) {
    let [most, sum] = [-Infinity, 0];
    const end = words * places;
    for (let i = place; i < end; i += places) most = Math.max(most, scores[i]);
    for (let i = place; i < end; i += places) sum += scores[i] = Math.exp((scores[i] - most) * scale);
    for (let i = place; i < end; i += places) scores[i] /= sum;
  }
}

/** What product.wat does, without WebAssembly: slow. */
export function plainFunctions(heap) {
  const { numbers } = heap;
  const words = new Int32Array(heap.memory.buffer);
  const of = (side) => (w, bias, x, y, rows, channels, plane, line, out, table, eights) => {
    for (let row = 0; row < rows; row++) {
      for (let eight = 0; eight < eights; eight++) {
        const [first, second, to] = words.subarray(table / 4 + 3 * eight, table / 4 + 3 * eight + 3);
        for (let i = 0; i < 8; i++) {
          let sum = bias ? numbers[bias / 4 + row] : 0;
          let [at, weight] = [(x + (i < 4 ? first : second)) / 4 + (i & 3), w / 4 + row * channels * side ** 2];
          for (let channel = 0; channel < channels; channel++, at += plane / 4) {
            for (let dy = 0; dy < side; dy++) {
              for (let dx = 0; dx < side; dx++) sum += numbers[weight++] * numbers[at + (dy * line) / 4 + dx];
            }
          }
          numbers[(y + row * out + to) / 4 + i] = sum;
        }
      }
    }
  };
  return { product: of(1), convolution: of(3) };
}
