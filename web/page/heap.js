// Where numbers live: one block of memory that the page and its WebAssembly module share. Weights
// stay at its beginning; what a network computes lies behind them, until its next call.

const ROOM = 40 << 20; // bytes for what one call computes: four pictures decoded take about 20 MB

/** Read a safetensors file of float16 into [{name, shape, halves}]. */
export function readWeights(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  delete header.__metadata__;
  return Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    if (dtype !== "F16") throw new Error(`${name} is ${dtype}, and this page reads F16`);
    return { name, shape, halves: new Float16Array(buffer.slice(8 + length + from, 8 + length + to)) };
  });
}

export class Heap {
  /** files: of each network, what `readWeights` returns. Each becomes one of `nets`. */
  constructor(files) {
    const bytes = files.flat().reduce((sum, { halves }) => sum + 4 * halves.length + 4096, ROOM);
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
    this.numbers = new Float32Array(this.memory.buffer);
    this.tables = new Map(); // they fill the memory from its end
    [this.at, this.end] = [16, this.numbers.length]; // not from 0, which stands for "none"
    this.nets = files.map((file) => this.nested(file));
    this.begin = this.at;
  }

  /** Take a block of `count` numbers that begins at a multiple of 16 bytes. */
  take(count) {
    if (this.at + count > this.end) throw new Error("the page's memory for numbers is full");
    const block = this.numbers.subarray(this.at, this.at + count);
    this.at += (count + 3) & ~3;
    return block;
  }

  /** Copy rows of as many numbers each, one behind the other, to a block of their own. */
  put(...rows) {
    const block = this.take(rows.length * rows[0].length);
    rows.forEach((row, i) => block.set(row, i * row.length));
    return block;
  }

  /** Keep weights for good, as float32; product.wat takes four rows at a time, so fill up with 0. */
  keep({ shape, halves }) {
    const data = this.take((halves.length / shape[0]) * ((shape[0] + 3) & ~3));
    data.set(halves);
    return { data, shape };
  }

  /** Keep a network's weights as torch nests its modules: "up.0.norm.bias" as up[0].norm.bias. */
  nested(file) {
    const net = {};
    for (const tensor of file) {
      const path = tensor.name.split(".");
      const last = path.pop();
      path.reduce((module, part) => (module[part] ??= {}), net)[last] = this.keep(tensor);
    }
    return net;
  }

  /** Forget all that was computed; weights stay. */
  forget() {
    this.at = this.begin;
  }

  /** Keep `entries` of a table of product.wat for good, under a name; return its place in bytes. */
  table(name, entries) {
    if (!this.tables.has(name)) {
      const made = entries();
      this.end -= made.length;
      new Int32Array(this.memory.buffer, 4 * this.end, made.length).set(made);
      this.tables.set(name, { bytes: 4 * this.end, eights: made.length / 3 });
    }
    return this.tables.get(name);
  }
}
