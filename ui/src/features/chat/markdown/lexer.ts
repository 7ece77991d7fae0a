import { Lexer, Marked, type Token, type TokenizerAndRendererExtension } from "marked";

/** A formula. `display` ones stand on lines of their own. */
export interface MathToken {
  type: "math";
  raw: string;
  tex: string;
  display: boolean;
}

const math = (
  name: string,
  level: "block" | "inline",
  display: boolean,
  opening: RegExp,
  whole: RegExp,
): TokenizerAndRendererExtension => ({
  name,
  level,
  start: (source) => {
    const at = source.search(opening);
    return at < 0 ? undefined : at;
  },
  tokenizer(source) {
    const found = whole.exec(source);
    if (found?.[1] === undefined) return undefined;
    return { type: "math", raw: found[0], tex: found[1].trim(), display } satisfies MathToken;
  },
});

// As models write them: $$...$$, \[...\], \(...\), and $...$ where the dollars touch the formula and no price follows.
const EXTENSIONS = [
  math("mathDollars", "block", true, /^\$\$/m, /^ {0,3}\$\$([\s\S]+?)\$\$[^\S\n]*(?:\n|$)/),
  math("mathBrackets", "block", true, /^\\\[/m, /^ {0,3}\\\[([\s\S]+?)\\\][^\S\n]*(?:\n|$)/),
  math("mathInlineDollars", "inline", true, /\$\$/, /^\$\$([^\n$]+?)\$\$/),
  math("mathParentheses", "inline", false, /\\\(/, /^\\\(([^\n]+?)\\\)/),
  math("mathDollar", "inline", false, /\$/, /^\$(?![\s$])((?:\\.|[^\\\n$])+?)(?<![\s\\])\$(?![\d$])/),
];

const { defaults } = new Marked({ gfm: true, extensions: EXTENSIONS });

export type Links = Lexer["tokens"]["links"];

/**
 * Returns the blocks of `source`, CommonMark with GitHub's tables and lists, and formulas. `links` has the reference
 * definitions of the text before, and gets those of this one.
 */
export function lex(source: string, links?: Links): Token[] {
  const lexer = new Lexer(defaults);
  if (links !== undefined) lexer.tokens.links = links;
  return lexer.lex(source);
}
