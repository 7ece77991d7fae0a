import { useParams } from "@tanstack/react-router";
import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useLayoutEffect, useMemo, useRef, useState } from "react";
import { hasKeyboard } from "../keyboard";
import type { ChatGroup, ChatSummary } from "./groups";
import { nextChat, rowsOf } from "./rows";

interface VirtualChatsProps {
  groups: readonly ChatGroup[];
  labelOf: (group: ChatGroup) => string;
  heading: (group: ChatGroup) => ReactNode;
  row: (chat: ChatSummary) => ReactNode;
  /** Stands above the chats, and scrolls with them. */
  children: ReactNode;
}

/** The chats under their headings, of which only those in sight are in the page. The arrow keys go from one to the next. */
export function VirtualChats({ groups, labelOf, heading, row, children }: VirtualChatsProps) {
  const { chatId } = useParams({ strict: false });
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => rowsOf(groups), [groups]);
  // The row that has the keys stays in the page, wherever that is scrolled.
  const [held, setHeld] = useState<string | null>(null);
  const height = hasKeyboard() ? 32 : 44;
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: (index) => rows[index]?.key ?? index,
    rangeExtractor: (range) => {
      const at = rows.findIndex(({ key }) => key === held);
      const shown = defaultRangeExtractor(range);
      return at < 0 || shown.includes(at) ? shown : [...shown, at].toSorted((a, b) => a - b);
    },
    overscan: 8,
    paddingEnd: 8,
  });
  const moved = useRef(false);
  useLayoutEffect(() => {
    if (!moved.current || held === null) return;
    moved.current = false;
    scroller.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(held)}"] a`)?.focus({ preventScroll: true });
  }, [held]);
  const isListed = chatId !== undefined && rows.some(({ chat }) => chat?.id === chatId);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each chat that is opened
  useLayoutEffect(() => {
    if (isListed)
      list.scrollToIndex(
        rows.findIndex(({ chat }) => chat?.id === chatId),
        { align: "auto" },
      );
  }, [chatId, isListed]);
  const goOn = (event: KeyboardEvent<HTMLElement>) => {
    if (!(event.target instanceof HTMLAnchorElement)) return;
    const at = rows.findIndex(({ key }) => key === held);
    const next = nextChat(rows, at, event.key);
    const key = rows[next]?.key;
    if (key === undefined) return;
    event.preventDefault();
    list.scrollToIndex(next, { align: "auto" });
    moved.current = key !== held;
    setHeld(key);
  };
  const shown = list.getVirtualItems().flatMap((item) => {
    const known = rows[item.index];
    return known === undefined ? [] : [{ item, ...known }];
  });
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto px-2">
      {children}
      <div className="relative" style={{ height: list.getTotalSize() }} onKeyDown={goOn}>
        {groups.map((group) => {
          const own = shown.filter((each) => each.group === group);
          const place = (each: (typeof own)[number]) => ({
            "data-index": each.item.index,
            "data-row": each.key,
            ref: list.measureElement,
            onFocus: () => setHeld(each.key),
            className: "absolute inset-x-0 top-0",
            style: { transform: `translateY(${each.item.start}px)` },
          });
          const [first] = own;
          if (first === undefined) return null;
          return (
            <section key={group.key} aria-label={labelOf(group)}>
              {first.chat === undefined && (
                <div key={first.key} {...place(first)}>
                  {heading(group)}
                </div>
              )}
              <ul>
                {own.map(
                  (each) =>
                    each.chat !== undefined && (
                      <li key={each.key} {...place(each)}>
                        {row(each.chat)}
                      </li>
                    ),
                )}
              </ul>
            </section>
          );
        })}
      </div>
    </div>
  );
}
