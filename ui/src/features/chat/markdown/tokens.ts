import type { Token, Tokens } from "marked";
import type { MathToken } from "./lexer";

/** What the lexer makes, told apart by `type`. `unknown` is shown as it was written. */
export type KnownToken =
  | Tokens.Space
  | Tokens.Def
  | Tokens.Heading
  | Tokens.Paragraph
  | Tokens.Text
  | Tokens.Code
  | Tokens.Blockquote
  | Tokens.Hr
  | Tokens.List
  | Tokens.Table
  | Tokens.Strong
  | Tokens.Em
  | Tokens.Del
  | Tokens.Codespan
  | Tokens.Br
  | Tokens.Link
  | Tokens.Image
  | Tokens.Escape
  | Tokens.Checkbox
  | Tokens.HTML
  | MathToken;

/** Marked's own union has a member with any `type`, which tells nothing apart. */
export const asKnown = (token: Token): KnownToken => token as KnownToken;
