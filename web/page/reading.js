// Parsing a prompt: diffusion_lessons/postcards/reading.py, function by function. Words, phrases and
// limits come from vocabulary.json, which the package writes, so that both know the same world.

/** A prompt asks for something that this world cannot show, or contradicts itself. */
export class PromptError extends Error {}

function refuse(sentence) {
  throw new PromptError(sentence);
}

const EXAMPLE = "one sentence is enough: 'a small red house on the left, on snow at night'";
const SIGN = /^\p{P}$/v; // a quotation mark, a bracket or another sign that parts no things

/** A pattern of Python's `re`, whose \w, \W, \d and \b know all scripts. */
const pattern = (source) => new RegExp(source
  .replaceAll("\\b", "(?:(?<=\\w)(?!\\w)|(?<!\\w)(?=\\w))")
  .replaceAll("\\w", "[\\p{L}\\p{N}_]")
  .replaceAll("\\W", "[^\\p{L}\\p{N}_]")
  .replaceAll("\\d", "\\p{Nd}"), "gv");

const letters = (word) => [...word];
const inEnglish = (number) => number.toLocaleString("en-US");
const described = (tokens) =>
  tokens.find(({ kind }) => kind !== "colour" && kind !== "size") ?? { kind: "", text: "" };

function quoted(word) {
  const text = letters(word);
  return `'${text.length <= 30 ? word : `${text.slice(0, 30).join("")}…`}'`;
}

/** vocabulary: what vocabulary.json holds. Returns parse and tokenise of a prompt; both throw PromptError. */
export function reader(vocabulary) {
  const { allowed, absent, singular, joiners, traits, scenery: sceneryNames } = vocabulary;
  const { max_length: most, length } = vocabulary;
  const [meaningOf, number] = [new Map(vocabulary.meaning_of), new Map(vocabulary.numbers)];
  const [named, small, negations, everyday] = ["named", "small_words", "negations", "everyday"].map(
    (name) => new Set(vocabulary[name]));
  const rewrites = vocabulary.rewrites.map(([source, written]) => [pattern(source), written]);
  const [wordPattern, relationPattern] = [pattern(vocabulary.word), pattern(vocabulary.relation)];

  // ---- from characters to tokens

  function normalised(text) {
    const folded = text.normalize("NFKC").toLowerCase().replaceAll("ß", "ss").replaceAll("ς", "σ");
    const plain = folded.replaceAll("\u00ad", "").replace(/[\p{C}\p{Z}_]+/gv, " ").trim();
    return rewrites.reduce((now, [found, written]) => now.replace(found, written), plain);
  }

  function tokensOf(words) {
    const strange = new Set(words.filter(
      (word) => !meaningOf.has(word) && !small.has(word) && !SIGN.test(word)));
    strange.forEach(refuseKnown);
    if (strange.size) refuse(aboutUnknown([...strange].slice(0, 3)));
    let led = false; // by a small word or an article
    const tokens = [];
    for (const text of words) {
      if (meaningOf.has(text)) {
        const [kind, value] = meaningOf.get(text);
        tokens.push({ kind, value, text, led });
        led = kind === "article";
      } else if (small.has(text)) led = true;
    }
    return tokens;
  }

  function refuseKnown(word) {
    if (negations.has(word)) {
      refuse(`'${word}': the parser does not know negation. Say what the picture shows, and leave out `
        + "what it does not show (a negative prompt is a separate text)");
    }
    for (const [attribute, words] of Object.entries(absent)) {
      if (words.includes(word) || (attribute === "count" && /^-*\p{Nd}/v.test(word))) {
        refuse(`'${word}' is not a ${attribute} of this world: choose ${allowed[attribute]}`);
      }
    }
  }

  function aboutUnknown(words) {
    const { near = [], far = [] } = Object.groupBy(words, (word) => (nearest(word).length ? "near" : "far"));
    const sentences = near.map((word) =>
      `${quoted(word)}: did you mean ${nearest(word).map(quoted).join(" or ")}?`);
    if (far.length) {
      const kinds = Object.entries(allowed).map(([name, values]) => `${name} (${values})`).join("; ");
      sentences.push(`${far.map(quoted).join(", ")}: not a word of this world. It knows ${kinds}.`);
    }
    return sentences.join(" ");
  }

  function nearest(word) {
    if (everyday.has(word) || everyday.has(word.replace(/s$/, ""))) return [];
    const [[first, second = ""], size] = [word, letters(word).length];
    const alike = [...named, ...vocabulary.small].filter((known) => known[0] === first
      || known.slice(0, 2) === second + first || ["ck", "kc"].includes(known[0] + first));
    const one = (known) => singular[known] ?? known;
    const sorted = (text) => letters(text).sort().join("");
    const shuffled = alike.filter((known) => sorted(known) === sorted(word));
    if (shuffled.length) return shuffled.slice(0, 2).map(one);
    const long = alike.filter((known) => one(known).length > 3 && Math.abs(known.length - size) <= 1);
    let close = closeMatches(word, long.filter((known) => named.has(known)), 4, 0.75);
    if (!close.length) close = closeMatches(word, long.filter((known) => !named.has(known)), 1, 0.85);
    const meanings = Map.groupBy(close, (known) => String(meaningOf.get(known)));
    return [...meanings.values()].slice(0, 2).map(([best]) => one(best));
  }

  // ---- from tokens to a description

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
      if (token.led && after !== token && sceneryNames.includes(after.kind)) {
        refuse(`'${token.text} ${after.text}': the ${token.kind} of a sky or a ground cannot be chosen, `
          + `only that of a thing; leave out '${token.text}'`);
      }
    });
  }

  function sceneryOf(name, tokens) {
    const said = tokens.filter(({ kind, value }) => kind === name && value);
    const texts = new Map(said.map(({ value, text }) => [value, text]));
    if (texts.has("aurora")) texts.delete("night");
    const [first, second] = texts.values();
    if (second) refuse(`'${first}' and '${second}' are both said for the ${name}, and a postcard has one: `
      + `choose ${allowed[name]}`);
    return [...texts.keys()][0] ?? null;
  }

  function thing(tokens) {
    const name = tokens.find(({ kind }) => kind === "object")?.text ?? "thing";
    const said = {};
    for (const token of tokens.filter(({ value }) => value !== null)) {
      const before = said[token.kind] ?? token;
      if (token.value !== before.value) {
        refuse(`'${before.text}' and '${token.text}' are both said for the ${token.kind} of the ${name}, `
          + `and it has one: choose ${allowed[token.kind]}; two things are named `
          + "one by one: 'a red house and a blue boat'");
      }
      said[token.kind] = token;
    }
    return Object.fromEntries(traits.map((trait) => [trait, said[trait]?.value ?? null]));
  }

  /** Places between two nouns where the words for one thing may end, by how strongly they part. */
  function bordersOf(tokens, first, second) {
    const isJoin = (i) => tokens[i].kind === "join";
    const places = [...tokens.keys()].filter((i) => i > first && i < second && isJoin(i) && !isJoin(i - 1));
    const strength = (place) => {
      const texts = [];
      for (let i = place; isJoin(i); i++) texts.push(tokens[i].text);
      if (texts.includes(",") && texts.includes("and")) texts.push(", and");
      return Math.max(...texts.map((text) => joiners[text]));
    };
    return [...Map.groupBy(places, strength)].sort(([a], [b]) => b - a).map(([, tied]) => tied);
  }

  function twoThings(tokens, first, second) {
    const parted = (border) => [thing(tokens.slice(0, border)), thing(tokens.slice(border))];
    const borders = bordersOf(tokens, first, second);
    for (const tied of borders) {
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
        refuse(`it is not clear whether '${words.map(({ text }) => text).join(", ")}' belongs `
          + `to the ${tokens[first].text} or to the ${tokens[second].text}; put each word next to its thing `
          + "and 'and' between the two things");
      }
    }
    if (borders.length) return parted(borders[0][0]); // refused: this says what contradicts what
    const isPosition = ({ kind }) => kind === "position"; // right after the first noun, it is that thing's
    const itsOwn = isPosition(tokens[first + 1]) && !tokens.slice(0, first + 1).some(isPosition);
    return parted(first + (itsOwn ? 2 : 1));
  }

  function thingsOf(tokens) {
    const nouns = [...tokens.keys()].filter((i) => tokens[i].kind === "object");
    const names = nouns.slice(0, 5).map((i) => tokens[i].text).join(", ");
    if (nouns.length > 2) refuse(`${nouns.length} things are named (${names}), and a postcard holds at most `
      + "two; for several of one kind give a count: 'three boats'");
    if (nouns.length === 2) return twoThings(tokens, ...nouns);
    return tokens.some(({ kind }) => kind !== "join") ? [thing(tokens)] : [];
  }

  function parseWords(prompt) {
    const size = letters(prompt).length;
    if (size > most) refuse(`the prompt has ${inEnglish(size)} characters and at most ${inEnglish(most)} are `
      + `read; ${EXAMPLE}`);
    const text = normalised(prompt);
    const relation = text.match(relationPattern);
    if (relation) refuse(`'${relation[0]}' compares two places; say where each thing is in the picture: `
      + "'a house on the left and a boat on the right'");
    const words = text.match(wordPattern) ?? [];
    const tokens = countArticles(tokensOf(words));
    refuseColouredScenery(tokens);
    const [sky, ground] = sceneryNames.map((name) => sceneryOf(name, tokens));
    const things = thingsOf(tokens.filter(({ kind }) => !sceneryNames.includes(kind)));
    return [{ sky, ground, things }, words];
  }

  /** Return the numbers of the prompt's words, 32 of them, filled up with 0. */
  function tokenise(prompt) {
    const numbers = parseWords(prompt)[1].flatMap((word) => number.get(word) ?? []);
    if (numbers.length > length) refuse(`the prompt has ${numbers.length} words that count, and at most `
      + `${length} are read; ${EXAMPLE}`);
    return [...numbers, ...new Array(length - numbers.length).fill(0)];
  }

  return { parse: (prompt) => parseWords(prompt)[0], tokenise };
}

// ---- difflib.get_close_matches: the share of letters that two words have in common, in order

function closeMatches(word, known, most, cutoff) {
  return known.map((one) => [(2 * inCommon(one, letters(word))) / (one.length + letters(word).length), one])
    .filter(([alike]) => alike >= cutoff)
    .sort(([a, one], [b, other]) => b - a || (other > one ? 1 : -1))
    .slice(0, most).map(([, one]) => one);
}

/** Letters of the longest common block, and of those before and behind it. */
function inCommon(a, b) {
  let [from, to, size] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      let same = 0;
      while (i + same < a.length && a[i + same] === b[j + same]) same += 1;
      if (same > size) [from, to, size] = [i, j, same];
    }
  }
  return size && size + inCommon(a.slice(0, from), b.slice(0, to))
    + inCommon(a.slice(from + size), b.slice(to + size));
}
