import { type Segment, segmentsOf } from "../markdown/blocks";
import type { Message, Part } from "../model";

/** What the list of a chat shows as one row: never more than a screen or so, however long a message is. */
export type Row = { key: string; message: Message } & (
  | { kind: "user" }
  | { kind: "start" }
  | { kind: "segment"; segment: Segment; growing: boolean }
  | { kind: "part"; part: Part; index: number }
  | { kind: "editor" }
  | { kind: "branches" }
  | { kind: "end"; before: readonly Message[] }
);

/** Where a message is in an answer: what of the answer comes before it, and whether there is more of it behind. */
interface Place {
  before: readonly Message[];
  more: boolean;
}

/** Returns each message with its place. An answer that goes on from what its tools said is one, of several messages. */
function placed(messages: readonly Message[]): (Place & { message: Message })[] {
  let before: readonly Message[] = [];
  return messages.map((message, index) => {
    const previous = messages[index - 1];
    before = previous !== undefined && goesOn(message, previous) ? [...before, previous] : [];
    const next = messages[index + 1];
    return { message, before, more: next !== undefined && goesOn(next, message) };
  });
}

/** One that a person has put right has no model. */
const goesOn = ({ role, turn }: Message, previous: Message): boolean =>
  role === "assistant" &&
  (previous.turn.tool_calls ?? []).length > 0 &&
  (turn.model == null || turn.model === previous.turn.model);

/** Returns the rows of `message`. A text that streams in has as many as there are segments by now. */
function rowsOf(message: Message, { before, more }: Place, cache: SegmentCache, edited = false): Row[] {
  const { id, role, parts, siblings } = message;
  if (role === "user") return [{ key: id, kind: "user", message }];
  const rows: Row[] = before.length > 0 ? [] : [{ key: `${id}:start`, kind: "start", message }];
  for (const [index, part] of parts.entries()) {
    if (part.kind !== "text") {
      rows.push({ key: `${id}:${index}`, kind: "part", part, index, message });
      continue;
    }
    if (edited) continue;
    const segments = part.live?.segments() ?? cache.segments(part);
    for (const segment of segments) {
      const growing = part.live !== undefined && segment === segments.at(-1);
      rows.push({ key: `${id}:${index}:${segment.key}`, kind: "segment", segment, growing, message });
    }
  }
  if (edited) rows.push({ key: `${id}:editor`, kind: "editor", message });
  if (!more) rows.push({ key: `${id}:end`, kind: "end", before, message });
  else if (siblings.length > 1) rows.push({ key: `${id}:branches`, kind: "branches", message });
  return rows;
}

/** Returns how high a row will be, about, before anybody has measured it. */
export function estimatedHeight(row: Row): number {
  switch (row.kind) {
    case "user":
      return 90;
    case "segment":
      return 26 * Math.ceil(row.segment.length / 80) + 12;
    case "part":
      return 44;
    default:
      return 40;
  }
}

const NONE: ReadonlyMap<string, unknown> = new Map();

/** Remembers how texts were parsed, and what rows a message has, as long as they are in use. */
export class SegmentCache {
  private readonly bySource = new WeakMap<Part, readonly Segment[]>();
  private readonly byMessage = new WeakMap<Message, Place & { rows: readonly Row[] }>();

  segments(part: Part & { kind: "text" }): readonly Segment[] {
    let segments = this.bySource.get(part);
    if (segments === undefined) {
      segments = segmentsOf(part.text);
      this.bySource.set(part, segments);
    }
    return segments;
  }

  /** `edited` has the ids of messages that are being changed. */
  rows(messages: readonly Message[], edited: ReadonlyMap<string, unknown> = NONE): Row[] {
    return placed(messages).flatMap(({ message, ...place }) => {
      if (edited.has(message.id)) return rowsOf(message, place, this, true);
      if (message.parts.some((part) => part.kind === "text" && part.live !== undefined))
        return rowsOf(message, place, this);
      const known = this.byMessage.get(message);
      if (known !== undefined && known.more === place.more && same(known.before, place.before)) return known.rows;
      const rows = rowsOf(message, place, this);
      this.byMessage.set(message, { ...place, rows });
      return rows;
    });
  }
}

const same = (a: readonly Message[], b: readonly Message[]): boolean =>
  a.length === b.length && a.every((message, index) => message === b[index]);
