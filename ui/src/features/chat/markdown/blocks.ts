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
  /** Blocks that stay as they are, of a segment that is not full. */
  private settled: readonly Token[] = [];
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
    const count = settledCount(tokens);
    const settled = tokens.slice(0, count);
    this.settled = [...this.settled, ...settled];
    this.open = this.open.slice(settled.reduce((sum, { raw }) => sum + raw.length, 0));
    this.closeFull();
    const looks = [...this.settled, ...withoutLoose(tokens.slice(count), this.links)];
    const groups = grouped(looks, ({ raw }) => raw);
    this.shown = [...this.closed, ...groups.map((group, index) => segment(this.closed.length + index, group))];
  }

  private closeFull(): void {
    const groups = grouped(this.settled, ({ raw }) => raw);
    // The last one may get more.
    const last = groups.pop() ?? [];
    if (groups.length === 0) return;
    this.closed = [...this.closed, ...groups.map((group, index) => segment(this.closed.length + index, group))];
    this.settled = last;
  }
}

const segment = (key: number, tokens: readonly Token[]): Segment => ({
  key,
  tokens,
  length: tokens.reduce((sum, { raw }) => sum + raw.length, 0),
});

/**
 * Returns blocks in groups of about `SEGMENT` characters. A group ends so many blocks after it is full as a growing
 * text has open: what is shown in one segment never moves into the next.
 */
function grouped<Block>(blocks: readonly Block[], rawOf: (block: Block) => string): Block[][] {
  const groups: Block[][] = [[]];
  let length = 0;
  let left: number | undefined;
  for (const block of blocks) {
    if (left === 0) {
      groups.push([]);
      length = 0;
      left = undefined;
    }
    groups.at(-1)?.push(block);
    const raw = rawOf(block);
    length += raw.length;
    if (left !== undefined && raw.trim() !== "") left -= 1;
    if (left === undefined && length >= SEGMENT) left = OPEN_BLOCKS;
  }
  return groups.filter((group) => group.length > 0);
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
  return grouped(raws, (raw) => raw).map((group, key) => lazySegment(key, group.join(""), links));
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
