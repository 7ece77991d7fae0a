import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { type ReactNode, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import type { LiveText } from "../live/LiveText";
import { isOpen, type Message } from "../model";
import { chatTexts } from "../texts";
import { Announcer } from "./Announcer";
import { useEditing } from "./editing";
import { RowView } from "./RowView";
import { estimatedHeight, type Row, SegmentCache } from "./rows";
import { useFollow } from "./useFollow";

const never = () => () => {};
const none: readonly never[] = [];

/**
 * The messages of a chat, of which only those in sight are in the page. It stays at the end as text comes, as long as
 * the person is there; whoever has scrolled away is not moved until they send something. `key` it by the chat.
 */
export function Thread({
  messages,
  label,
  from,
  sent = 0,
  children,
}: {
  messages: readonly Message[];
  label?: string;
  /** The message that it begins with; it opens at its end where there is none. */
  from?: string | undefined;
  /** How many messages the person has sent here: with each it goes to the end. */
  sent?: number;
  children?: ReactNode;
}) {
  const texts = useTexts(chatTexts);
  const scroller = useRef<HTMLElement>(null);
  const [cache] = useState(() => new SegmentCache());
  const { typed, begun } = useEditing();
  const live = liveTextOf(messages);
  const segments = useSyncExternalStore(live?.subscribe ?? never, live?.segments ?? (() => none));
  // biome-ignore lint/correctness/useExhaustiveDependencies: `segments` says that `messages` have more text
  const rows = useMemo(() => cache.rows(messages, typed), [cache, messages, typed, segments]);
  const { keepUp, letGo, toEnd, atEnd, ...listeners } = useFollow(scroller, from === undefined);
  const begin = from === undefined ? -1 : rows.findIndex(({ message }) => message.id === from);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => {
      const row = rows[index];
      return row === undefined ? 40 : estimatedHeight(row);
    },
    getItemKey: (index) => rows[index]?.key ?? index,
    initialOffset: () =>
      rows.slice(0, begin < 0 ? rows.length : begin).reduce((sum, row) => sum + estimatedHeight(row), 0),
    overscan: 3,
    paddingStart: 16,
    paddingEnd: 16,
    directDomUpdates: true,
    directDomUpdatesMode: "position",
    onChange: keepUp,
  });
  // Other rows move the end. One that grows does so when it is measured, and until then sticks out of its place: who
  // followed it there already would scroll twice in a frame.
  const height = virtualizer.getTotalSize();
  // biome-ignore lint/correctness/useExhaustiveDependencies: at each other height
  useLayoutEffect(keepUp, [keepUp, height]);
  const began = useRef(false);
  useLayoutEffect(() => {
    if (begin < 0 || began.current) return;
    began.current = true;
    virtualizer.scrollToIndex(begin, { align: "start" });
  }, [begin, virtualizer]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each that is sent
  useLayoutEffect(() => {
    if (sent > 0) toEnd();
  }, [sent]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each that is begun
  useLayoutEffect(() => {
    const index = rows.findIndex(({ kind, message }) => ["user", "editor"].includes(kind) && message.id === begun);
    if (index < 0) return;
    letGo();
    virtualizer.scrollToIndex(index, { align: "auto" });
  }, [begun]);
  // The composer grows, too, as somebody writes, and takes the room from the end.
  useLayoutEffect(() => {
    const observer = new ResizeObserver(keepUp);
    if (scroller.current !== null) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, [keepUp]);
  return (
    <div className="relative flex min-h-0 flex-1 flex-col">
      <section
        ref={scroller}
        aria-label={label ?? texts.conversation}
        tabIndex={0}
        {...listeners}
        className="min-h-0 flex-1 overflow-x-hidden overflow-y-auto -outline-offset-2 [overflow-anchor:none]"
      >
        {children}
        <div ref={virtualizer.containerRef} className="relative">
          {virtualizer.getVirtualItems().map(({ index, key }) => {
            const row = rows[index];
            return (
              row !== undefined && (
                <div
                  key={key}
                  data-index={index}
                  ref={virtualizer.measureElement}
                  className="invisible absolute top-0 left-0 flow-root w-full px-4 [contain:layout_style]"
                >
                  <div className={`mx-auto max-w-3xl ${isProgress(row) ? "" : "visible"}`}>
                    <RowView row={row} last={row.message === messages.at(-1)} />
                  </div>
                </div>
              )
            );
          })}
        </div>
      </section>
      {!atEnd && (
        <div className="pointer-events-none absolute inset-x-0 bottom-3 flex justify-center">
          <IconButton
            label={texts.jump}
            look="secondary"
            className="pointer-events-auto rounded-full! bg-raised! shadow-md shadow-scrim/20"
            onClick={toEnd}
          >
            <ArrowDown />
          </IconButton>
        </div>
      )}
      <Announcer live={live} last={messages.at(-1)} />
    </div>
  );
}

/** Whether a row tells how far an answer is. It stays in its place of the screen while others are read past it, which a
 * browser takes for a jump of all that is seen of it: that is what it shows, and not the row. */
const isProgress = (row: Row): boolean => row.kind === "end" && isOpen(row.message);

/** Returns the text of the answer that streams in, if one does: it is always the last message's last part. */
function liveTextOf(messages: readonly Message[]): LiveText | undefined {
  const part = messages.at(-1)?.parts.at(-1);
  return part?.kind === "text" ? part.live : undefined;
}
