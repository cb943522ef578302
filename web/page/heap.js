// Where numbers live: one block of memory that the page and its WebAssembly module share. Weights
// stay at its beginning; what a network computes lies behind them, until its next call.

const ROOM = 40 << 20; // bytes for what one call computes: four pictures decoded take about 20 MB
const TABLES = 1 << 16; // bytes for the tables of product.wat

/** Read a safetensors file of float16 into [{name, shape, bits}]. */
export function readWeights(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  delete header.__metadata__;
  return Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    if (dtype !== "F16") throw new Error(`${name} is ${dtype}, and this page reads F16`);
    return { name, shape, bits: new Uint16Array(buffer.slice(8 + length + from, 8 + length + to)) };
  });
}

/** Each of the 65,536 numbers that 16 bits can be. */
const HALF = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
  const [sign, exponent, part] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return part ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + part / 1024) : 2 ** -24 * part);
});

export class Heap {
  /** files: of each network, what `readWeights` returns. */
  constructor(files) {
    const bytes = files.flat().reduce((sum, { bits }) => sum + 4 * bits.length + 4096, TABLES + 64);
    this.memory = new WebAssembly.Memory({ initial: Math.ceil((bytes + ROOM) / 65536) });
    this.numbers = new Float32Array(this.memory.buffer);
    this.tables = new Map();
    this.at = 16; // in numbers: 0 stands for "none"
    this.tableRoom = this.take(TABLES / 4);
    this.files = files.map((file) => Object.fromEntries(file.map((one) => [one.name, this.keep(one)])));
    this.begin = this.at;
  }

  /** Take a block of `count` numbers that begins at a multiple of 16 bytes. */
  take(count) {
    if (this.at + count > this.numbers.length) throw new Error("the page's memory for numbers is full");
    const block = this.numbers.subarray(this.at, this.at + count);
    this.at += (count + 3) & ~3;
    return block;
  }

  /** Copy numbers to a block of their own. */
  put(numbers) {
    const block = this.take(numbers.length);
    block.set(numbers);
    return block;
  }

  /** Keep weights for good, as float32; product.wat takes four rows at a time, so fill up with 0. */
  keep({ shape, bits }) {
    const each = bits.length / shape[0];
    const data = this.take(each * ((shape[0] + 3) & ~3));
    for (let i = 0; i < bits.length; i++) data[i] = HALF[bits[i]];
    return { data, shape };
  }

  /** Forget all that was computed; weights stay. */
  forget() {
    this.at = this.begin;
  }

  /** Keep `entries` of a table for good, under a name; return its place in bytes. */
  table(name, entries) {
    if (!this.tables.has(name)) {
      const made = Int32Array.from(entries());
      const room = this.tableRoom;
      new Int32Array(room.buffer, room.byteOffset, made.length).set(made);
      this.tables.set(name, { bytes: room.byteOffset, eights: made.length / 3 });
      this.tableRoom = room.subarray(made.length);
    }
    return this.tables.get(name);
  }
}
