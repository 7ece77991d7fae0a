import type { ChatLogprob } from "../wire";

/** How far ahead of what was last found a shown character is looked for in the source: longer than most links. */
const REACH = 300;

/**
 * Returns where each character of `shown` stands in `source`, of which it is what is left when marks are taken out, as
 * of Markdown. A character that is not found has the place of the one before it.
 */
export function placesIn(source: string, shown: string): Int32Array {
  const places = new Int32Array(shown.length);
  let at = 0;
  let place = 0;
  for (let index = 0; index < shown.length; index++) {
    const letter = shown[index] as string;
    const blank = /\s/.test(letter);
    let found = -1;
    for (let next = at; next < Math.min(source.length, at + REACH); next++) {
      const other = source[next] as string;
      if (other === letter || (blank && /\s/.test(other))) {
        found = next;
        break;
      }
    }
    if (found >= 0) {
      place = found;
      at = found + 1;
    }
    places[index] = place;
  }
  return places;
}

/** Tokens of an answer by their places in its text. */
export class TokenPlaces {
  private readonly starts: Int32Array;

  constructor(
    readonly tokens: readonly ChatLogprob[],
    text: string,
  ) {
    const joined = tokens.map(({ token }) => token).join("");
    // What comes before the answer is its reasoning, and what follows its end.
    const before = joined.lastIndexOf(text.trim()) - (text.length - text.trimStart().length);
    this.starts = new Int32Array(tokens.length);
    let start = -Math.max(0, before);
    for (const [index, { token }] of tokens.entries()) {
      this.starts[index] = start;
      start += token.length;
    }
  }

  /** Returns the index of the token that has the character at `place`; -1 where none has. */
  at(place: number): number {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.starts[middle] as number) <= place) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    const token = this.tokens[index];
    return token !== undefined && place < (this.starts[index] as number) + token.token.length ? index : -1;
  }
}

/** Returns a probability of 0 to 1. */
export const probability = (logprob: number): number => Math.exp(Math.min(0, logprob));

/** Returns a token as people see it: blanks and line ends are made visible. */
export const visible = (token: string): string =>
  token === "" ? "∅" : token.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(" ", "␣");
