// What people type, read as Python's studio reads it: what makes no sense throws Python's sentence.

import { numberIn } from "./parts.js";

function inField({ low, high, whole, unreadable, outside }, text) {
  const number = numberIn(text);
  if (!Number.isFinite(number) || (whole && number % 1)) throw new Error(unreadable.replace("?", () => text));
  if (number < low || number > high) throw new Error(outside.replace("?", () => text));
  return number;
}

/** Return {prompt, negative_prompt, seed, steps, scale} as the painter takes them; `fields` is part of
 * model.json, `typed` has the same names, texts, and maybe others. */
export function settingsOf({ prompt: empty, ...fields }, typed) {
  const [prompt, negative_prompt] = [typed.prompt.trim(), (typed.negative_prompt ?? "").trim()];
  if (!prompt) throw new Error(empty);
  const numbers = Object.keys(fields).map((name) => [name, inField(fields[name], String(typed[name]).trim())]);
  return { prompt, negative_prompt, ...Object.fromEntries(numbers) };
}

/** Return settings in a line, as studio.py's `described`. */
export function described({ prompt, negative_prompt, seed, steps, scale }) {
  const away = negative_prompt && `, away from “${negative_prompt}”`;
  return `“${prompt}”${away} · seed ${seed} · ${steps} step${steps === 1 ? "" : "s"} · guidance ${scale}`;
}
