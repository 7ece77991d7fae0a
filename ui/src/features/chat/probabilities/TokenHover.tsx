import { type PointerEvent, type ReactNode, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { segmentsOf } from "../markdown/blocks";
import { type Message, textOf } from "../model";
import type { ChatLogprob } from "../wire";
import { Alternatives } from "./Alternatives";
import { placesIn, TokenPlaces } from "./align";

interface Shown {
  entry: ChatLogprob;
  index: number;
  box: DOMRect;
}

/** What is worked out once for a segment, when somebody first points at it. */
interface Map {
  places: Int32Array;
  tokens: TokenPlaces;
  start: number;
  text: string;
}

/** Shows how likely the token under the pointer was, over text as it is shown. `segment`: which one of the answer. */
export default function TokenHover({
  message,
  segment,
  children,
}: {
  message: Message;
  segment: number;
  children: ReactNode;
}) {
  const root = useRef<HTMLDivElement>(null);
  const map = useRef<Map | null>(null);
  const [shown, setShown] = useState<Shown | null>(null);
  const look = (event: PointerEvent) => {
    if (event.pointerType === "touch" || root.current === null) return;
    const caret = caretAt(event.clientX, event.clientY);
    const text = root.current.textContent ?? "";
    if (caret === null || !root.current.contains(caret.node)) return setShown(null);
    if (map.current?.text !== text) map.current = mapOf(message, segment, text);
    const { places, tokens, start } = map.current;
    const at = lengthBefore(root.current, caret.node) + caret.offset;
    const index = tokens.at(start + (places[Math.min(at, places.length - 1)] ?? 0));
    const entry = tokens.tokens[index];
    if (entry === undefined) return setShown(null);
    if (index === shown?.index) return;
    setShown({ entry, index, box: boxOf(caret) });
  };
  return (
    <div ref={root} onPointerMove={look} onPointerLeave={() => setShown(null)} className="relative">
      {children}
      {shown !== null && createPortal(<Floating {...shown} />, document.body)}
    </div>
  );
}

function Floating({ entry, box }: Shown) {
  const below = box.bottom + 220 < window.innerHeight;
  const left = Math.max(8, Math.min(box.left - 24, window.innerWidth - 330));
  return (
    <div
      role="tooltip"
      className="pointer-events-none fixed z-50 w-80 max-w-[calc(100vw-16px)] rounded-md border border-line bg-raised p-2 shadow-lg shadow-scrim/10"
      style={{ left, ...(below ? { top: box.bottom + 6 } : { bottom: window.innerHeight - box.top + 6 }) }}
    >
      <Alternatives entry={entry} />
    </div>
  );
}

function mapOf(message: Message, segment: number, text: string): Map {
  const answer = textOf(message);
  const segments = segmentsOf(answer);
  const start = segments.slice(0, segment).reduce((sum, { length }) => sum + length, 0);
  const source = answer.slice(start, start + (segments[segment]?.length ?? 0));
  return { places: placesIn(source, text), tokens: new TokenPlaces(message.turn.logprobs ?? [], answer), start, text };
}

interface Caret {
  node: Node;
  offset: number;
}

function caretAt(x: number, y: number): Caret | null {
  if (document.caretPositionFromPoint !== undefined) {
    const found = document.caretPositionFromPoint(x, y);
    return found === null ? null : { node: found.offsetNode, offset: found.offset };
  }
  const range = document.caretRangeFromPoint(x, y);
  return range === null ? null : { node: range.startContainer, offset: range.startOffset };
}

/** Characters of `root`'s text before `node`. */
function lengthBefore(root: Node, node: Node): number {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let length = 0;
  for (let text = walker.nextNode(); text !== null && text !== node; text = walker.nextNode()) {
    length += text.textContent?.length ?? 0;
  }
  return length;
}

function boxOf({ node, offset }: Caret): DOMRect {
  const range = document.createRange();
  range.setStart(node, Math.max(0, Math.min(offset, (node.textContent?.length ?? 0) - 1)));
  range.setEnd(node, Math.min(offset + 1, node.textContent?.length ?? 0));
  return range.getBoundingClientRect();
}
