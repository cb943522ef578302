// Parsing a prompt: diffusion_lessons/postcards/reading.py, function by function. The words come from
// vocabulary.json, which the package writes, so that both know the same world.

/** A prompt asks for something that this world cannot show, or contradicts itself. */
export class PromptError extends Error {}

const MAX_LENGTH = 1000;
const LENGTH = 32;
const SCENERY = ["sky", "ground"];
const TRAITS = ["object", "colour", "size", "position", "count"];
const EXAMPLE = "one sentence is enough: 'a small red house on the left, on snow at night'";

// Python's \w, \W and \b, of all scripts.
const LETTER = "[\\p{L}\\p{N}_]";
const EDGE = `(?:(?<=${LETTER})(?!${LETTER})|(?<!${LETTER})(?=${LETTER}))`;
const pattern = (source) =>
  new RegExp(source.replaceAll("\\b", EDGE).replaceAll("\\W", "[^\\p{L}\\p{N}_]"), "gu");

const REWRITES = [
  ["[’‘`]", "'"],
  ["n't\\b", " not"],
  ["'s\\b", " "],
  ["\\s-+\\s|[–—]", " , "],
  ["[!?]", "."],
  ["\\bnext\\W+to\\b", "beside"],
  ["\\b(?:pair|couple) of\\b", "two"],
  ["\\btrio of\\b", "three"],
  ["\\b(space|rocket)\\W?ship", "$1ship"],
  ["\\bsail\\W?boat", "sailboat"],
  ["\\b(left|right|middle|cent(?:re|er))(?:\\W?hand)?(?: side)? of (?:the|this|my) "
    + "(?:picture|image|photo|postcard|scene|drawing|painting)\\b", "$1"],
].map(([source, written]) => [pattern(source), written]);
const RELATION = pattern("\\b(?:left|right) (?:side )?of\\b");
const WORD = /(?<![\p{L}\p{N}_])-\p{Nd}+(?:\.\p{Nd}+)?|\p{Nd}+(?:\.\p{Nd}+)?|[\p{L}\p{Nl}\p{No}]+|\S/gu;

function normalised(text) {
  const folded = text.normalize("NFKC").toLowerCase().replaceAll("ß", "ss").replaceAll("ς", "σ");
  const plain = folded.replaceAll("\u00ad", "").replace(/[\p{C}\p{Z}_]/gu, " ").trim().replace(/\s+/g, " ");
  return REWRITES.reduce((now, [found, written]) => now.replace(found, written), plain);
}

const letters = (word) => [...word];
const listed = (values) => `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;

/** As Python's repr writes a word. */
function quoted(word) {
  const text = letters(word).length <= 30 ? word : `${letters(word).slice(0, 30).join("")}…`;
  if (text.includes("'") && !text.includes('"')) return `"${text}"`;
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** vocabulary: what vocabulary.json holds. Returns parse(prompt) and tokenise(prompt). */
export function reader(vocabulary) {
  const { values, unnamed, absent, singular } = vocabulary;
  const meaningOf = new Map(vocabulary.meaning_of);
  const number = new Map(vocabulary.numbers);
  const joiners = new Map(vocabulary.joiners);
  const [small, negations, everyday] = ["small_words", "negations", "everyday"].map(
    (name) => new Set(vocabulary[name]));
  const allowed = (attribute) => listed(values[attribute]);
  const isDescription = ({ kind }) => kind === "colour" || kind === "size";

  // ---- from characters to tokens

  function read(word) {
    if (meaningOf.has(word)) return meaningOf.get(word);
    if (word === "a" || word === "an") return ["article", null];
    if (joiners.has(word)) return ["join", null];
    const kind = Object.keys(unnamed).find((one) => unnamed[one].includes(word));
    return kind ? [kind, null] : null;
  }

  function tokensOf(words) {
    const [tokens, unknown] = [[], new Set()];
    let led = false;
    for (const word of words) {
      const meaning = read(word);
      if (meaning) {
        tokens.push({ kind: meaning[0], value: meaning[1], text: word, led });
      } else if (small.has(word)) {
        led = true;
        continue;
      } else if (/^\p{P}$/u.test(word)) {
        continue; // a quotation mark, a bracket or another sign that parts no things
      } else {
        refuseKnown(word);
        unknown.add(word);
      }
      led = word === "a" || word === "an";
    }
    if (unknown.size) throw new PromptError(aboutUnknown([...unknown].slice(0, 3)));
    return tokens;
  }

  function refuseKnown(word) {
    if (negations.has(word)) {
      throw new PromptError(`'${word}': the parser does not know negation. Say what the picture shows, `
        + "and leave out what it does not show (a negative prompt is a separate text)");
    }
    for (const [attribute, words] of Object.entries(absent)) {
      if (words.includes(word) || (attribute === "count" && /^-*\p{Nd}/u.test(word))) {
        throw new PromptError(`'${word}' is not a ${attribute} of this world: choose ${allowed(attribute)}`);
      }
    }
  }

  function aboutUnknown(words) {
    const [sentences, far] = [[], []];
    for (const word of words) {
      const guesses = near(word);
      if (guesses.length) sentences.push(`${quoted(word)}: did you mean ${guesses.map(quoted).join(" or ")}?`);
      else far.push(quoted(word));
    }
    if (far.length) {
      const kinds = Object.keys(values).map((name) => `${name} (${allowed(name)})`).join("; ");
      sentences.push(`${far.join(", ")}: not a word of this world. It knows ${kinds}.`);
    }
    return sentences.join(" ");
  }

  function near(word) {
    if (everyday.has(word) || everyday.has(word.replace(/s$/, ""))) return [];
    const [first, second = ""] = letters(word);
    const alike = [...meaningOf.keys(), ...vocabulary.small].filter((known) => {
      const swapped = known.length > 1 ? known[1] + known[0] : known;
      return known[0] === first || swapped === first + second
        || (known[0] === "c" && first === "k") || (known[0] === "k" && first === "c");
    });
    const one = (known) => singular[known] ?? known;
    const sorted = (text) => letters(text).sort().join("");
    const shuffled = alike.filter((known) => sorted(known) === sorted(word)).map(one);
    if (shuffled.length) return shuffled.slice(0, 2);
    const size = letters(word).length;
    const long = alike.filter((known) => one(known).length > 3 && Math.abs(known.length - size) <= 1);
    const named = long.filter((known) => meaningOf.has(known));
    let close = closeMatches(word, named, 4, 0.75);
    if (!close.length) close = closeMatches(word, long.filter((known) => !meaningOf.has(known)), 1, 0.85);
    const guesses = new Map();
    for (const guess of close) {
      const meaning = String(meaningOf.get(guess) ?? guess);
      if (!guesses.has(meaning)) guesses.set(meaning, one(guess));
    }
    return [...guesses.values()].slice(0, 2);
  }

  // ---- from tokens to a description

  const described = (tokens) => tokens.find((token) => !isDescription(token)) ?? { kind: "", text: "" };

  function countArticles(tokens) {
    return tokens.flatMap((token, i) => {
      if (token.kind !== "article") return [token];
      const next = described(tokens.slice(i + 1).filter(({ text }) => text !== ","));
      return next.kind === "object" ? [{ kind: "count", value: "one", text: token.text, led: false }] : [];
    });
  }

  function refuseColouredScenery(tokens) {
    tokens.forEach((token, i) => {
      const after = described(tokens.slice(i));
      if (token.led && after !== token && SCENERY.includes(after.kind)) {
        throw new PromptError(`'${token.text} ${after.text}': the ${token.kind} of a sky or a ground cannot `
          + `be chosen, only that of a thing; leave out '${token.text}'`);
      }
    });
  }

  function scenery(name, tokens) {
    const texts = new Map(tokens.filter(({ kind, value }) => kind === name && value)
      .map(({ value, text }) => [value, text]));
    if (texts.has("aurora")) texts.delete("night");
    if (texts.size > 1) {
      const [first, second] = texts.values();
      throw new PromptError(`'${first}' and '${second}' are both said for the ${name}, and a postcard has `
        + `one: choose ${allowed(name)}`);
    }
    return texts.keys().next().value ?? null;
  }

  function thing(tokens) {
    const name = tokens.find(({ kind }) => kind === "object")?.text ?? "thing";
    const said = {};
    for (const token of tokens) {
      const before = said[token.kind] ?? token;
      if (token.value !== null && token.value !== before.value) {
        throw new PromptError(`'${before.text}' and '${token.text}' are both said for the ${token.kind} of `
          + `the ${name}, and it has one: choose ${allowed(token.kind)}; two things are named one by one: `
          + "'a red house and a blue boat'");
      }
      if (token.value !== null) said[token.kind] = token;
    }
    return Object.fromEntries(TRAITS.map((trait) => [trait, said[trait]?.value ?? null]));
  }

  function bordersOf(tokens, first, second) {
    const borders = new Map();
    for (let i = first + 1; i < second; i++) {
      if (tokens[i].kind !== "join" || tokens[i - 1].kind === "join") continue;
      const end = tokens.findIndex(({ kind }, at) => at >= i && kind !== "join");
      const texts = tokens.slice(i, end).map(({ text }) => text);
      const both = texts.includes(",") && texts.includes("and") ? joiners.get(", and") : 0;
      borders.set(i, Math.max(both, ...texts.map((text) => joiners.get(text))));
    }
    return borders;
  }

  function twoThings(tokens, first, second) {
    const parted = (border) => [thing(tokens.slice(0, border)), thing(tokens.slice(border))];
    const borders = bordersOf(tokens, first, second);
    for (const strength of [...new Set(borders.values())].sort((a, b) => b - a)) {
      const tied = [...borders.keys()].filter((i) => borders.get(i) === strength);
      const readings = new Map();
      for (const border of tied) {
        try {
          const reading = parted(border);
          readings.set(JSON.stringify(reading), reading);
        } catch (error) {
          if (!(error instanceof PromptError)) throw error;
        }
      }
      if (readings.size === 1) return readings.values().next().value;
      if (readings.size) {
        const words = tokens.slice(tied[0], tied.at(-1)).filter(({ kind }) => kind !== "join");
        throw new PromptError(`it is not clear whether '${words.map(({ text }) => text).join(", ")}' belongs `
          + `to the ${tokens[first].text} or to the ${tokens[second].text}; put each word next to its thing `
          + "and 'and' between the two things");
      }
    }
    const strongest = Math.max(...borders.values());
    let border = borders.size ? [...borders.keys()].find((i) => borders.get(i) === strongest) : first + 1;
    if (!borders.size && tokens[border].kind === "position") {
      border += tokens.slice(0, border).some(({ kind }) => kind === "position") ? 0 : 1;
    }
    return parted(border);
  }

  function thingsOf(tokens) {
    const nouns = tokens.flatMap(({ kind }, i) => (kind === "object" ? [i] : []));
    if (nouns.length > 2) {
      const names = nouns.slice(0, 5).map((i) => tokens[i].text).join(", ");
      throw new PromptError(`${nouns.length} things are named (${names}), and a postcard holds at most two; `
        + "for several of one kind give a count: 'three boats'");
    }
    if (nouns.length === 2) return twoThings(tokens, ...nouns);
    return tokens.some(({ kind }) => kind !== "join") ? [thing(tokens)] : [];
  }

  function parseWords(prompt) {
    const size = letters(prompt).length;
    if (size > MAX_LENGTH) {
      throw new PromptError(`the prompt has ${size.toLocaleString("en-US")} characters and at most 1,000 are `
        + `read; ${EXAMPLE}`);
    }
    const text = normalised(prompt);
    const relation = text.match(RELATION);
    if (relation) {
      throw new PromptError(`'${relation[0]}' compares two places; say where each thing is in the picture: `
        + "'a house on the left and a boat on the right'");
    }
    const words = text.match(WORD) ?? [];
    const tokens = countArticles(tokensOf(words));
    refuseColouredScenery(tokens);
    const [sky, ground] = SCENERY.map((name) => scenery(name, tokens));
    const things = thingsOf(tokens.filter(({ kind }) => !SCENERY.includes(kind)));
    return [{ sky, ground, things }, words.filter((word) => /^[\p{L}\p{N}]/u.test(word))];
  }

  /** Return what a prompt says; throws PromptError. */
  const parse = (prompt) => parseWords(prompt)[0];

  /** Return the numbers of the prompt's words, 32 of them, filled up with 0; throws PromptError. */
  function tokenise(prompt) {
    const numbers = parseWords(prompt)[1].filter((word) => number.has(word)).map((word) => number.get(word));
    if (numbers.length > LENGTH) {
      throw new PromptError(`the prompt has ${numbers.length} words that count, and at most ${LENGTH} are `
        + `read; ${EXAMPLE}`);
    }
    return [...numbers, ...new Array(LENGTH - numbers.length).fill(0)];
  }

  return { parse, tokenise };
}

// ---- difflib.get_close_matches: the share of letters that two words have in common, in order

function closeMatches(word, known, most, cutoff) {
  return known.map((one) => [likeness(letters(one), letters(word)), one])
    .filter(([alike]) => alike >= cutoff)
    .sort(([a, one], [b, other]) => b - a || (other > one ? 1 : -1))
    .slice(0, most).map(([, one]) => one);
}

const likeness = (a, b) => (2 * inCommon(a, b)) / (a.length + b.length);

/** Letters of the longest common block, and of those before and behind it. */
function inCommon(a, b) {
  let [from, to, size] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      let same = 0;
      while (i + same < a.length && j + same < b.length && a[i + same] === b[j + same]) same += 1;
      if (same > size) [from, to, size] = [i, j, same];
    }
  }
  if (!size) return 0;
  const before = inCommon(a.slice(0, from), b.slice(0, to));
  return size + before + inCommon(a.slice(from + size), b.slice(to + size));
}
