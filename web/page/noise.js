// torch.randn of a generator with a seed, on a CPU: the same seed, the same noise as in Python.
// MT19937 (Matsumoto & Nishimura 1998), 24 bits of each number, Box & Muller 1958 on blocks of 16.

const LENGTH = 624; // of the generator's state

/** Draw `count` numbers of the bell curve N(0, 1); count: a multiple of 16; seed: 0 to 2**32 - 1. */
export const randn = (count, seed) => normals(count, twister(seed));

/** The same from a generator that may have drawn before. */
export function normals(count, next) {
  const drawn = Float32Array.from({ length: count }, () => share(next));
  for (let at = 0; at < count; at += 16) {
    for (let i = at; i < at + 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - drawn[i]));
      const angle = 2 * Math.PI * drawn[i + 8];
      drawn[i] = radius * Math.cos(angle);
      drawn[i + 8] = radius * Math.sin(angle);
    }
  }
  return drawn;
}

/** A number in [0, 1), of 24 bits as all of torch's. */
export const share = (next) => (next() & 0xffffff) / 2 ** 24;

/** torch.Generator: each call draws 32 bits. */
export function twister(seed) {
  const state = new Uint32Array(LENGTH);
  state[0] = seed;
  for (let i = 1; i < LENGTH; i++) {
    state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  }
  let at = 0;
  return () => {
    const next = (at + 1) % LENGTH;
    const mixed = (state[at] & 0x80000000) | (state[next] & 0x7fffffff);
    let y = state[(at + 397) % LENGTH] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    state[at] = y;
    at = next;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}
