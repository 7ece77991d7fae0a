/** Sentences of one language by the server's own: `{}` stands for what differs, `{0}` for what stood first. */
export type Catalogue = Readonly<Record<string, string>>;

/** Returns a sentence of the server's in another language; null where the catalogue does not have it. */
export type Translate = (sentence: string) => string | null;

/**
 * Makes a `Translate` of `catalogue`. Where several entries match, the one with most words of its own is meant. What
 * fills the gaps is translated too where it is known, since the server puts its reasons into its sentences.
 */
export function translator(catalogue: Catalogue): Translate {
  const plain = new Map(Object.entries(catalogue).filter(([said]) => !said.includes("{}")));
  const patterns = Object.entries(catalogue)
    .filter(([said]) => said.includes("{}"))
    .map(([said, means]) => ({ pieces: said.split("{}"), means, own: said.replaceAll("{}", "").length }))
    .sort((one, other) => other.own - one.own || other.pieces.length - one.pieces.length);
  const translate: Translate = (sentence) => {
    const known = plain.get(sentence);
    if (known !== undefined) return known;
    for (const { pieces, means } of patterns) {
      const gaps = gapsOf(pieces, sentence);
      if (gaps === null) continue;
      const known = gaps.map((gap) => (gap === "" ? null : translate(gap)) ?? gap);
      // An entry that is the same in both languages only says where a sentence may be taken apart.
      if (pieces.join("{}") !== means || known.some((gap, place) => gap !== gaps[place])) return filled(means, known);
    }
    return null;
  };
  return translate;
}

/** Returns what stands between `pieces` in `text`, each as short as can be; null where they are not in it so. */
function gapsOf(pieces: readonly string[], text: string): string[] | null {
  const first = pieces[0] ?? "";
  const last = pieces.at(-1) ?? "";
  if (!text.startsWith(first) || !text.endsWith(last)) return null;
  const gaps: string[] = [];
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const next = text.indexOf(piece, at);
    if (next < 0) return null;
    gaps.push(text.slice(at, next));
    at = next + piece.length;
  }
  if (text.length - last.length < at) return null;
  return [...gaps, text.slice(at, text.length - last.length)];
}

function filled(means: string, gaps: readonly string[]): string {
  let next = 0;
  return means.replace(/\{(\d*)\}/g, (_, place: string) => gaps[place === "" ? next++ : Number(place)] ?? "");
}
