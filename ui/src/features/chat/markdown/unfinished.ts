/**
 * Returns the source of the block at the end of a text that still comes, with what has begun in it as it will look when
 * it has ended. So **bold** is bold from its first letter on, a link shows its text and not its address, and a formula
 * nothing of its source: nothing jumps back when the end comes. What follows a mark within a line begins with a whole
 * word: a part of one that stands at a line's end takes all of its piece to the next as it grows.
 */
export function finished(source: string): string {
  const text = withoutFirstWord(withoutOpenLink(withoutOpenFormula(source)));
  return REPAIRS.reduce((repaired, repair) => repair(repaired), text);
}

const withoutOpenLink = (text: string): string => text.replace(/!?\[([^[\]\n]*)\]\([^()\s]*$/, "$1");

/** Of one dollar only what looks like TeX: it may be a price. */
const withoutOpenFormula = (text: string): string =>
  text.replace(/(?<![\\$])(?:\$(?=[^\s$])[^$\n]*[\\^_{][^$\n]*|\\\((?:(?!\\\))[^\n])*)$/, "");

/** A part of a word, of scripts that have spaces between theirs: others break anywhere. */
const WORD = "[\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Cyrillic}\\p{N}'’-]{1,40}$";
const AFTER_MARK = new RegExp(`(?<=\\S(?:\\*\\*|~~|\`)|[\\p{L}\\p{N}]\\*|\\]\\([^()\\s]*\\)|\\$)\\s${WORD}`, "u");
const IN_MARK = new RegExp(`(?<=[\\p{L}\\p{P}]\\s)(?<!^\\s*(?:[-*+]|\\d+[.)])\\s)(?:\\*\\*|~~|\`)${WORD}`, "mu");

const withoutFirstWord = (text: string): string => text.replace(AFTER_MARK, "").replace(IN_MARK, "");

type Repair = (text: string) => string;

/** Ends what `mark` has begun on the last lines, or takes the mark away where nothing stands behind it yet. */
const closing =
  (mark: string, outside: RegExp): Repair =>
  (text) => {
    const paragraph = text.slice(text.lastIndexOf("\n\n") + 1);
    const count = paragraph.replace(outside, "").split(mark).length - 1;
    if (count % 2 === 0) return text;
    const trimmed = text.trimEnd();
    return trimmed.endsWith(mark) ? trimmed.slice(0, -mark.length) : trimmed + mark;
  };

const CODE = /(`+)[^`]*\1/g;

const REPAIRS: readonly Repair[] = [
  closing("`", /```|``/g),
  closing("**", CODE),
  closing("~~", CODE),
  // A single star or underscore may be a sign of multiplication, or within a name.
  (text) => text.replace(/(?<=^|\s)([*_])$/, ""),
];
