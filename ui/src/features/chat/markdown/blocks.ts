import type { Token } from "marked";
import { type Links, lex, splitBlocks } from "./lexer";
import { finished } from "./unfinished";

/** Blocks of a text that are shown together. The same object as long as nothing in it changes. */
export interface Segment {
  readonly key: number;
  readonly tokens: readonly Token[];
  /** Characters of its source. */
  readonly length: number;
}

/** Characters after which a new segment begins: about a screen of text. */
const SEGMENT = 3_000;

/** Blocks at the end that more text may still change: a list's last item, a heading's underline. */
const OPEN_BLOCKS = 2;

/**
 * Reads Markdown that grows. Each `append` parses the open end alone: blocks that are followed by others stay as they
 * are, so that a long answer costs no more by the token than a short one, and only its last segment is shown anew.
 */
export class GrowingMarkdown {
  private closed: readonly Segment[] = [];
  private current: readonly Token[] = [];
  private currentLength = 0;
  private open = "";
  private readonly links: Links = Object.create(null) as Links;
  private shown: readonly Segment[] = [];

  /** The text so far, in segments. Another array only where a segment changed. */
  get segments(): readonly Segment[] {
    return this.shown;
  }

  append(text: string): void {
    if (text === "") return;
    this.open += text;
    const tokens = lex(this.open, this.links);
    const settled = settledCount(tokens);
    for (const token of tokens.slice(0, settled)) this.settle(token);
    const length = this.currentLength + this.open.length;
    const shown = [...this.current, ...withoutLoose(tokens.slice(settled), this.links)];
    const last = { key: this.closed.length, tokens: shown, length };
    this.shown = [...this.closed, last];
  }

  private settle(token: Token): void {
    this.open = this.open.slice(token.raw.length);
    this.current = [...this.current, token];
    this.currentLength += token.raw.length;
    if (this.currentLength < SEGMENT) return;
    this.closed = [...this.closed, { key: this.closed.length, tokens: this.current, length: this.currentLength }];
    this.current = [];
    this.currentLength = 0;
  }
}

/** Returns `tokens` with the last one, if it is of running text, as it will look when what it has begun has ended. */
function withoutLoose(tokens: Token[], links: Links): Token[] {
  const last = tokens.at(-1);
  if (last === undefined || !RUNNING.has(last.type)) return tokens;
  const source = finished(last.raw);
  return source === last.raw ? tokens : [...tokens.slice(0, -1), ...lex(source, links)];
}

const RUNNING = new Set(["paragraph", "heading", "list", "blockquote", "text"]);

/** Returns how many of `tokens` stay as they are whatever follows. */
function settledCount(tokens: readonly Token[]): number {
  let open = 0;
  for (let index = tokens.length - 1; index >= 0; index -= 1) {
    const token = tokens[index];
    if (token !== undefined && token.type !== "space") open += 1;
    if (open === OPEN_BLOCKS) return beginsFormula(tokens, index) ?? index;
  }
  return 0;
}

/** Where a formula on lines of its own has begun and not ended, what follows may yet be within it. */
function beginsFormula(tokens: readonly Token[], before: number): number | undefined {
  const from = Math.max(0, before - 8);
  for (let index = from; index < before; index += 1) {
    const raw = tokens[index]?.raw ?? "";
    if (/^ {0,3}(\$\$|\\\[)/.test(raw) && tokens[index]?.type !== "math") return index;
  }
  return undefined;
}

/** Returns the segments of a text that grows no more. Each is parsed when somebody first looks at its tokens. */
export function segmentsOf(text: string): readonly Segment[] {
  // A text this short has one segment, whatever is in it.
  if (text.length < SEGMENT) return text === "" ? [] : [lazySegment(0, text)];
  const { raws, links } = splitBlocks(text);
  const segments: Segment[] = [];
  let source = "";
  for (const raw of raws) {
    source += raw;
    if (source.length < SEGMENT) continue;
    segments.push(lazySegment(segments.length, source, links));
    source = "";
  }
  if (source !== "") segments.push(lazySegment(segments.length, source, links));
  return segments;
}

function lazySegment(key: number, source: string, links?: Links): Segment {
  let tokens: Segment["tokens"] | undefined;
  return {
    key,
    length: source.length,
    get tokens() {
      tokens ??= lex(source, links);
      return tokens;
    },
  };
}
