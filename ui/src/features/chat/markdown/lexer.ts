import { Lexer, Marked, type Token, type TokenizerAndRendererExtension } from "marked";

/** A formula. `display` ones stand on lines of their own. */
export interface MathToken {
  type: "math";
  raw: string;
  tex: string;
  display: boolean;
}

/** Where formulas may begin: `start` within a line, for blocks nowhere but where a block begins. */
const math = (name: string, display: boolean, whole: RegExp, start?: RegExp): TokenizerAndRendererExtension => ({
  name,
  level: start === undefined ? "block" : "inline",
  ...(start === undefined ? {} : { start: (source: string) => found(source.search(start)) }),
  tokenizer(source) {
    const match = whole.exec(source);
    if (match?.[1] === undefined) return undefined;
    return { type: "math", raw: match[0], tex: match[1].trim(), display } satisfies MathToken;
  },
});

const found = (at: number): number | undefined => (at < 0 ? undefined : at);

// As models write them: $$...$$, \[...\], \(...\), and $...$ where the dollars touch the formula and no digit follows.
const EXTENSIONS = [
  math("mathDollars", true, /^ {0,3}\$\$([\s\S]+?)\$\$[^\S\n]*(?:\n|$)/),
  math("mathBrackets", true, /^ {0,3}\\\[([\s\S]+?)\\\][^\S\n]*(?:\n|$)/),
  math("mathInlineDollars", true, /^\$\$([^$]+?)\$\$/, /\$\$/),
  math("mathInlineBrackets", true, /^\\\[([\s\S]+?)\\\]/, /\\\[/),
  math("mathParentheses", false, /^\\\(([\s\S]+?)\\\)/, /\\\(/),
  math("mathDollar", false, /^\$(?![\s$])((?:\\.|[^\\\n$])+?)(?<![\s\\])\$(?![\d$])/, /\$/),
];

const { defaults } = new Marked({ gfm: true, extensions: EXTENSIONS });

export type Links = Lexer["tokens"]["links"];

/** A line that nests a hundred quotes or lists: parsing it takes minutes or all of the stack, and nobody reads it. */
const TOO_DEEP = /^(?:[ \t]*(?:>|[*+-][ \t]|\d{1,9}[.)][ \t])){100}|^(?: {4}|\t){50}[ \t]*(?:[*+-]|\d{1,9}[.)])[ \t]/m;

/**
 * Returns the blocks of `source`, CommonMark with GitHub's tables and lists, and formulas; what nests too deeply comes
 * as it was written. `links` has the reference definitions of the text before, and gets those of this one.
 */
export function lex(source: string, links?: Links): Token[] {
  if (TOO_DEEP.test(source)) return [{ type: "code", raw: source, text: source, lang: "" }];
  const lexer = new Lexer(defaults);
  if (links !== undefined) lexer.tokens.links = links;
  return lexer.lex(source);
}

/** Returns the sources of the blocks of `source`, which takes half as long, and the definitions in it. */
export function splitBlocks(source: string): { raws: string[]; links: Links } {
  if (TOO_DEEP.test(source)) return { raws: [source], links: {} };
  const lexer = new Lexer(defaults);
  const tokens = lexer.blockTokens(source.replaceAll("\r\n", "\n"), lexer.tokens);
  return { raws: tokens.map(({ raw }) => raw), links: lexer.tokens.links };
}
