// From noise to a latent: the cosine schedule, guidance, and DPM-Solver++ 2M, as in lessons 03 and 05.

const T = 1000; // rows of the schedule

/** log alpha_bar after each row, Nichol & Dhariwal eq. 17. */
const LOG_ALPHA_BAR = [0];
const f = (t) => Math.cos(((t / T + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
for (let row = 0; row < T; row++) {
  const beta = Math.min(0.999, 1 - f(row + 1) / f(row));
  LOG_ALPHA_BAR.push(LOG_ALPHA_BAR[row] + Math.log1p(-beta));
}

/** Return the signal rate and the noise rate at t, from 0 (clean) to 1 (noise). */
export function rates(t) {
  const near = Math.round(t * T); // what is a hair off a row is that row
  const row = Math.abs(t * T - near) < 1e-4 ? near : t * T;
  const low = Math.min(T - 1, Math.floor(row));
  const log = LOG_ALPHA_BAR[low] + (LOG_ALPHA_BAR[low + 1] - LOG_ALPHA_BAR[low]) * (row - low);
  return [Math.fround(Math.exp(log / 2)), Math.fround(Math.sqrt(Math.abs(Math.expm1(log))))];
}

/** Return the times of a walk, 1 down to 0; halves are rounded to even rows, as numpy does. */
export function times(steps) {
  const rows = Array.from({ length: steps }, (_, i) => {
    const row = T - (i * T) / steps;
    return row % 1 === 0.5 ? 2 * Math.round(row / 2) : Math.round(row);
  });
  return [...rows, 0].map((row) => Math.fround(row / T));
}

/** Return the guess that guidance makes of two: away from the one without the caption. */
export function guide(without, told, scale) {
  return without.map((value, i) => value + scale * (told[i] - value));
}

/**
 * Walk from noise x, yielding {t, x_t, x_0, x_next} for each step.
 * ask(x, t, contexts) returns the network's guesses of x_0, one for each context. Guidance leads to
 * `context` and away from `away`, the context of the empty or of a negative prompt.
 */
export function* walk(ask, x, steps, scale, context, away, order = 2) {
  const at = times(steps);
  let before = null; // the guess of the step before
  for (let step = 0; step < steps; step++) {
    const [now, next] = [rates(at[step]), rates(at[step + 1])];
    const needed = scale === 0 ? [away] : scale === 1 ? [context] : [away, context];
    const [guess, told] = ask(x, at[step], needed);
    const x_0 = told ? guide(guess, told, scale) : guess;
    const x_next = solve(x, x_0, before, now, next, at[step + 1] === 0);
    yield { t: at[step], x_t: x, x_0, x_next };
    before = order === 2 ? { x_0, rates: now } : null;
    x = x_next;
  }
}

/** Take one step of DPM-Solver++ 2M (Lu et al. 2022, algorithm 2); the first and last are DDIM's. */
function solve(x, x_0, before, now, next, last) {
  const lambda = ([signal, noise]) => Math.log(signal) - Math.log(noise);
  const h = lambda(next) - lambda(now);
  let guess = x_0;
  if (before && !last) {
    const ahead = h / (2 * (lambda(now) - lambda(before.rates)));
    guess = x_0.map((value, i) => value + ahead * (value - before.x_0[i]));
  }
  const [keep, take] = [next[1] / now[1], next[0] * Math.expm1(-h)];
  return x.map((value, i) => keep * value - take * guess[i]);
}
