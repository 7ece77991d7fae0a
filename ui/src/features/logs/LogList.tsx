import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import { LogRow } from "./LogRow";
import type { LogLine } from "./lines";

const ROW_PX = 29;
const END_PX = 24;

export interface LogListProps {
  label: string;
  lines: readonly LogLine[];
  /** Whether the end stays in sight as lines come. */
  follow: boolean;
  onFollow: (follow: boolean) => void;
}

/** The lines, of which only those in sight are on the page. Whoever scrolls up reads; at the end it follows again. */
export function LogList({ label, lines, follow, onFollow }: LogListProps) {
  const place = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: lines.length,
    getScrollElement: () => place.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => lines[index]?.id ?? index,
    overscan: 12,
  });
  const height = list.getTotalSize();
  useEffect(() => {
    const element = place.current;
    if (follow && element !== null && height > 0) element.scrollTop = height;
  }, [follow, height]);
  const turned = () => {
    const element = place.current;
    if (element !== null) onFollow(element.scrollHeight - element.scrollTop - element.clientHeight < END_PX);
  };
  return (
    <div
      ref={place}
      role="log"
      aria-label={label}
      aria-live="off"
      tabIndex={0}
      onWheel={turned}
      onTouchMove={turned}
      onKeyUp={turned}
      onPointerUp={turned}
      className="min-h-0 flex-1 overflow-y-auto -outline-offset-2"
    >
      <div className="relative w-full" style={{ height }}>
        {list.getVirtualItems().map((item) => {
          const line = lines[item.index];
          return (
            line !== undefined && (
              <div
                key={item.key}
                ref={list.measureElement}
                data-index={item.index}
                className="absolute inset-x-0 top-0"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <LogRow line={line} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}
