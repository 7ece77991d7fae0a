import { withQuotesAside } from "./quotes";

/** Sentences of one language by the server's own: `{}` stands for what differs, `{0}` for what stood first. */
export type Catalogue = Readonly<Record<string, string>>;

/** Returns a sentence of the server's in another language; null where the catalogue does not have it. */
export type Translate = (sentence: string) => string | null;

/** Longer texts are no sentences of the server's, and take time. */
const MOST_CHARACTERS = 2_000;

/** How deep the server puts a reason into a reason. */
const MOST_DEPTH = 4;

/** How many parts of a sentence are looked for: far more than one of the server's has. */
const MOST_PARTS = 500;

interface Pattern {
  pieces: readonly string[];
  means: string;
  /** Letters and signs of its own. */
  own: number;
  /** Words of its own; none where it only says where a sentence may be taken apart. */
  words: number;
}

/**
 * Makes a `Translate` of `catalogue`. Where several entries match, the one with most words of its own is meant. What
 * fills the gaps is translated too where it is known, since the server puts its reasons into its sentences.
 */
export function translator(catalogue: Catalogue): Translate {
  const plain = new Map(Object.entries(catalogue).filter(([said]) => !said.includes("{}")));
  const patterns = Object.entries(catalogue)
    .filter(([said]) => said.includes("{}"))
    .map(([said, means]) => patternOf(said, means))
    .filter(({ pieces, means, words }) => words === 0 || pieces.join("{}") !== means)
    .sort((one, other) => other.own - one.own || other.pieces.length - one.pieces.length);
  return (sentence) => {
    if (sentence.length > MOST_CHARACTERS) return null;
    const done = new Map<string, string | null>();
    const translate = (text: string, depth: number): string | null => {
      const key = `${depth} ${text}`;
      const before = done.get(key);
      if (before !== undefined) return before;
      if (done.size >= MOST_PARTS) return null;
      const means = plain.get(text) ?? byPattern(text, depth);
      done.set(key, means);
      return means;
    };
    const byPattern = (text: string, depth: number): string | null => {
      for (const pattern of patterns) {
        const gaps = bestGaps(pattern, text, (gap) =>
          depth < MOST_DEPTH && gap !== "" ? translate(gap, depth + 1) : null,
        );
        if (gaps !== null) return filled(pattern.means, gaps);
      }
      return null;
    };
    return withQuotesAside(sentence, (text) => translate(text, 0));
  };
}

function patternOf(said: string, means: string): Pattern {
  const own = said.replaceAll("{}", "");
  const words = own.match(/\p{L}[\p{L}']*/gu)?.length ?? 0;
  return { pieces: said.split("{}"), means, own: own.length, words };
}

/** Returns what fills the gaps, translated where `translate` knows it; null where `text` is not as `pattern`. */
function bestGaps(pattern: Pattern, text: string, translate: Translate): string[] | null {
  const shortest = gapsOf(pattern.pieces, text, firstOf);
  if (shortest === null) return null;
  const ways = pattern.pieces.length > 2 ? [shortest, gapsOf(pattern.pieces, text, lastOf) ?? shortest] : [shortest];
  let best: { known: number; gaps: string[] } | undefined;
  for (const gaps of ways) {
    const found = gaps.map(translate);
    const known = found.filter((means) => means !== null).length;
    if (known <= (best?.known ?? -1) || !isMeant(pattern, gaps, found)) continue;
    best = { known, gaps: gaps.map((gap, place) => found[place] ?? gap) };
  }
  return best?.gaps ?? null;
}

/** One word, number, name or quotation, or a number with its unit. */
const ONE_THING = /^(\S*|\d[\d.,]* \S+)$/;

/**
 * Whether `pattern` is meant where `gaps` fill it, and not words of a user's that look like it. Many words of its own
 * say so; with few, what is in the gaps has to.
 */
function isMeant({ pieces, words }: Pattern, gaps: readonly string[], found: (string | null)[]): boolean {
  const isKnown = (place: number) => found[place] !== null;
  if (words === 0) return found.some((means, place) => means !== null && means !== gaps[place]);
  const text = pieces.join("");
  if (words > 2 || text.includes("`") || text.includes(": ")) return true;
  const isOne = (gap: string, place: number) => isKnown(place) || ONE_THING.test(gap);
  const first = pieces[0] ?? "";
  if (first === "")
    return ONE_THING.test(gaps[0] ?? "") && gaps.some((gap, place) => isKnown(place) || /^\d/.test(gap));
  if (first.length <= 3) return isKnown(0);
  return (words > 1 && !first.startsWith("the ")) || gaps.every(isOne);
}

type Find = (text: string, pieces: readonly string[], from: number, to: number) => number[] | null;

/** Returns what stands between `pieces` in `text`; null where they are not in it so. */
function gapsOf(pieces: readonly string[], text: string, find: Find): string[] | null {
  const first = pieces[0] ?? "";
  const last = pieces.at(-1) ?? "";
  const end = text.length - last.length;
  if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return null;
  const inner = pieces.slice(1, -1);
  const places = find(text, inner, first.length, end);
  if (places === null) return null;
  const starts = [first.length, ...places.map((at, which) => at + (inner[which]?.length ?? 0))];
  return starts.map((start, which) => text.slice(start, places[which] ?? end));
}

/** Finds each of `pieces` as far to the front as can be. */
const firstOf: Find = (text, pieces, from, to) => {
  const places: number[] = [];
  let at = from;
  for (const piece of pieces) {
    const place = text.indexOf(piece, at);
    if (place < 0 || place + piece.length > to) return null;
    places.push(place);
    at = place + piece.length;
  }
  return places;
};

/** Finds each of `pieces` as far to the back as can be. */
const lastOf: Find = (text, pieces, from, to) => {
  const places: number[] = [];
  let end = to;
  for (const piece of pieces.toReversed()) {
    const place = end < piece.length ? -1 : text.lastIndexOf(piece, end - piece.length);
    if (place < from) return null;
    places.unshift(place);
    end = place;
  }
  return places;
};

function filled(means: string, gaps: readonly string[]): string {
  let next = 0;
  return means.replace(/\{(\d*)\}/g, (_, place: string) => gaps[place === "" ? next++ : Number(place)] ?? "");
}
