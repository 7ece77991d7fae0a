import { type Segment, segmentsOf } from "../markdown/blocks";
import type { Message, Part } from "../model";

/** What the list of a chat shows as one row: never more than a screen or so, however long a message is. */
export type Row = { key: string; message: Message } & (
  | { kind: "user" }
  | { kind: "start" }
  | { kind: "segment"; segment: Segment; growing: boolean }
  | { kind: "part"; part: Part; index: number }
  | { kind: "end" }
);

/** Returns the rows of `message`. A text that streams in has as many as there are segments by now. */
function rowsOf(message: Message, cache: SegmentCache): Row[] {
  const { id, role, parts } = message;
  if (role === "user") return [{ key: id, kind: "user", message }];
  const rows: Row[] = [{ key: `${id}:start`, kind: "start", message }];
  for (const [index, part] of parts.entries()) {
    if (part.kind !== "text") {
      rows.push({ key: `${id}:${index}`, kind: "part", part, index, message });
      continue;
    }
    const segments = part.live?.segments() ?? cache.segments(part);
    for (const segment of segments) {
      const growing = part.live !== undefined && segment === segments.at(-1);
      rows.push({ key: `${id}:${index}:${segment.key}`, kind: "segment", segment, growing, message });
    }
  }
  rows.push({ key: `${id}:end`, kind: "end", message });
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

/** Remembers how texts were parsed, and what rows a message has, as long as they are in use. */
export class SegmentCache {
  private readonly bySource = new WeakMap<Part, readonly Segment[]>();
  private readonly byMessage = new WeakMap<Message, readonly Row[]>();

  segments(part: Part & { kind: "text" }): readonly Segment[] {
    let segments = this.bySource.get(part);
    if (segments === undefined) {
      segments = segmentsOf(part.text);
      this.bySource.set(part, segments);
    }
    return segments;
  }

  rows(messages: readonly Message[]): Row[] {
    return messages.flatMap((message) => {
      if (message.parts.some((part) => part.kind === "text" && part.live !== undefined)) return rowsOf(message, this);
      let rows = this.byMessage.get(message);
      if (rows === undefined) {
        rows = rowsOf(message, this);
        this.byMessage.set(message, rows);
      }
      return rows;
    });
  }
}
