// The layers that the networks are made of, by the names of torch.nn and of the course's package.
// A map is {data, channels, n, side}: n pictures side by side, data[channel][picture][y][x].

const GROUPS = 8;
const EPS = 1e-5;
const HEAD = 32; // channels of an attention head
const FLAT = -30; // silu is nearly 0 below; numbers so small make a processor ten times slower

export const silu = (value) => (value < FLAT ? 0 : value / (1 + Math.exp(-value)));

/** Add the numbers of b to those of a, where they lie. */
export function add(a, b) {
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  return a;
}

/** The sum of two maps; the first is lost. */
export const plus = (a, b) => ({ ...a, data: add(a.data, b.data) });

/** A linear map of one row of numbers: too small to be worth a call of product.wat. */
export function column({ weight: { data }, bias }, row) {
  return bias.data.map((sum, r) => {
    for (let c = 0, i = r * row.length; c < row.length; c++, i++) sum += data[i] * row[c];
    return sum;
  });
}

/** heap: see heap.js. functions: those of product.wat, or others that do the same. */
export function layersOn(heap, { product, convolution }) {
  /** For each eight places of n maps: where in x four lie, each map with a rim, and four; where in y. */
  const eightsOf = (n, side, rim) => heap.table(`${n} maps of ${side}, rim ${rim}`, () => {
    const at = (place) => {
      const row = Math.floor(place / side); // of all maps, one below the other
      return 4 * ((row + 2 * rim * Math.floor(row / side)) * (side + 2 * rim) + (place % side));
    };
    return Array.from({ length: (n * side ** 2) / 8 }, (_, i) => [at(8 * i), at(8 * i + 4), 32 * i]).flat();
  });

  /** A convolution whose kernel has the side 1 or 3. */
  function conv({ weight, bias }, m) {
    const [rows, channels, side = 1] = weight.shape;
    const rim = side === 3 ? 1 : 0;
    const [places, wide] = [m.n * m.side ** 2, m.side + 2 * rim];
    const x = rim ? pad(m) : m.data;
    const y = heap.take(((rows + 3) & ~3) * places);
    const { bytes, eights } = eightsOf(m.n, m.side, rim);
    (rim ? convolution : product)(weight.data.byteOffset, bias.data.byteOffset, x.byteOffset, y.byteOffset,
      rows, channels, 4 * m.n * wide ** 2, 4 * wide, 4 * places, bytes, eights);
    return { ...m, channels: rows, data: y.subarray(0, rows * places) };
  }

  /** A linear map at each place: x (channels, places) to (rows, places). */
  const linear = (layer, x, places) => conv(layer, { data: x, n: places, side: 1 }).data;

  /** y (rows, places) = w (rows, channels) x (channels, places); rows of x lie `far` apart, of y `out`. */
  function multiply(w, rows, channels, x, far, places, y, out) {
    const { bytes, eights } = eightsOf(places, 1, 0);
    product(w.byteOffset, 0, x.byteOffset, y.byteOffset, rows, channels, 4 * far, 0, 4 * out, bytes, eights);
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
  function groupNorm({ weight, bias }, { data, channels, n, side }, bend = true, more = null) {
    const [places, each] = [side ** 2, channels / GROUPS];
    const out = heap.take(data.length);
    for (let i = 0; i < n * GROUPS; i++) {
      const [picture, first] = [i % n, Math.floor(i / n) * each];
      const begins = Array.from({ length: each }, (_, row) => ((first + row) * n + picture) * places);
      const [mean, scale] = spread(data, begins, places);
      begins.forEach((begin, row) => {
        const channel = first + row;
        const gain = more ? 1 + more[channel] : 1;
        const shift = more ? more[channels + channel] : 0;
        const factor = weight.data[channel] * scale * gain;
        stretch(data, out, begin, places, factor, bias.data[channel] * gain + shift - mean * factor, bend);
      });
    }
    return { data: out, channels, n, side };
  }

  /** Two norms and convolutions beside a way straight through; the time, if any, sets the second norm. */
  function resBlock({ norm_1, conv_1, norm_2, conv_2, scale_shift }, m, emb) {
    const h = conv(conv_1, groupNorm(norm_1, m));
    const more = scale_shift && column(scale_shift, emb);
    return plus(conv(conv_2, groupNorm(norm_2, h, true, more)), m);
  }

  /** Layer norm of each place, over its channels. */
  function layerNorm({ weight, bias }, x, places) {
    const [channels, out] = [x.length / places, heap.take(x.length)];
    for (let place = 0; place < places; place++) {
      const begins = Array.from({ length: channels }, (_, channel) => channel * places + place);
      const [mean, scale] = spread(x, begins, 1);
      begins.forEach((i, c) => {
        out[i] = (x[i] - mean) * scale * weight.data[c] + bias.data[c];
      });
    }
    return out;
  }

  /** torch.permute: the numbers of x, of the given shape, with axis order[0] first, then order[1], ... */
  function permute(x, shape, order) {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const [sizes, steps] = [shape, strides].map((of) => order.map((axis) => of[axis]));
    const out = heap.take(x.length);
    const copy = (axis, from, to) => {
      const [step, end] = [steps[axis], from + sizes[axis] * steps[axis]];
      for (; from < end; from += step) {
        if (axis < order.length - 1) to = copy(axis + 1, from, to);
        else out[to++] = x[from];
      }
      return to;
    };
    copy(0, 0, 0);
    return out;
  }

  /** Squares of side 2 become one place of four times the channels; and back. */
  function unshuffle({ data, channels, n, side }) {
    const half = side / 2;
    const moved = permute(data, [channels, n, half, 2, half, 2], [0, 3, 5, 1, 2, 4]);
    return { data: moved, channels: 4 * channels, n, side: half };
  }
  function shuffle({ data, channels, n, side }) {
    const moved = permute(data, [channels / 4, 2, 2, n, side, side], [0, 3, 4, 1, 5, 2]);
    return { data: moved, channels: channels / 4, n, side: 2 * side };
  }

  /** Pictures side by side as a map; and back, each by itself, outside the heap. */
  function together(pictures, channels, side) {
    const n = pictures.length;
    return { data: permute(heap.put(...pictures), [n, channels, side ** 2], [1, 0, 2]), channels, n, side };
  }
  function apart({ data, channels, n, side }) {
    const [all, size] = [permute(data, [channels, n, side ** 2], [1, 0, 2]), channels * side ** 2];
    return Array.from({ length: n }, (_, i) => all.slice(i * size, (i + 1) * size));
  }

  /** Keys (n, heads, words, 32) and values (n, heads, 32, words) of kv, (keys and values, n * words). */
  function keysAndValues(kv, n, words) {
    const half = kv.length / 2;
    const shape = [half / (HEAD * n * words), HEAD, n, words];
    const k = permute(kv.subarray(0, half), shape, [2, 0, 3, 1]);
    return { k, v: permute(kv.subarray(half), shape, [2, 0, 1, 3]) };
  }

  /** What each place of q (channels, n * places) finds, by heads: softmax(k q / sqrt(32)) times v. */
  function attention(q, k, v, n, places, words) {
    const [far, found] = [n * places, heap.take(q.length)];
    const heads = q.length / (HEAD * far);
    for (let i = 0; i < n * heads; i++) {
      const from = (i % heads) * HEAD * far + Math.floor(i / heads) * places;
      const [at, end] = [i * HEAD * words, (i + 1) * HEAD * words];
      const scores = heap.take(((words + 3) & ~3) * places);
      multiply(k.subarray(at, end), words, HEAD, q.subarray(from), far, places, scores, places);
      softmax(scores, words, places);
      multiply(v.subarray(at, end), HEAD, words, scores, places, places, found.subarray(from), far);
    }
    return found;
  }

  /** qkv: (queries, keys and values; n * places). Each picture attends to itself. */
  function selfAttention(qkv, n, places) {
    const third = qkv.length / 3;
    const { k, v } = keysAndValues(qkv.subarray(third), n, places);
    return attention(qkv.subarray(0, third), k, v, n, places, places);
  }

  return {
    heap, conv, linear, permute, groupNorm, layerNorm, resBlock, unshuffle, shuffle, together, apart,
    keysAndValues, attention, selfAttention,
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
    to[i] = bend ? silu(value) : value;
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
      for (let place = 0; place < 8 * eights; place++) {
        const entry = table / 4 + 3 * (place >> 3);
        let at = (x + words[entry + ((place >> 2) & 1)]) / 4 + (place & 3);
        let [sum, weight] = [bias ? numbers[bias / 4 + row] : 0, w / 4 + row * channels * side ** 2];
        for (let channel = 0; channel < channels; channel++, at += plane / 4) {
          for (let dy = 0; dy < side; dy++) {
            for (let dx = 0; dx < side; dx++) sum += numbers[weight++] * numbers[at + (dy * line) / 4 + dx];
          }
        }
        numbers[(y + row * out + words[entry + 2]) / 4 + (place & 7)] = sum;
      }
    }
  };
  return { product: of(1), convolution: of(3) };
}
