import { type KeyboardEvent, type RefObject, useMemo, useRef, useState, type WheelEvent } from "react";

/** As near to the end as this one follows what comes, in pixels. */
const NEAR_END = 32;

/** A finger that has moved so far, in pixels, is meant to move the text. */
const DRAGS = 4;

const UP = new Set(["ArrowUp", "PageUp", "Home"]);

const placeOf = (touches: React.TouchList) => ({ x: touches[0]?.clientX ?? 0, y: touches[0]?.clientY ?? 0 });

const distanceOf = (element: HTMLElement) => element.scrollHeight - element.scrollTop - element.clientHeight;

/**
 * Keeps a scroller at its end while its content grows, as long as the person is there. Whoever scrolls up is let go at
 * once, however little they have scrolled by then; whoever comes back to the end is followed for again. `fromEnd`: it
 * begins there.
 */
export function useFollow(scroller: RefObject<HTMLElement | null>, fromEnd = true) {
  const follows = useRef(fromEnd);
  const last = useRef(0);
  const touched = useRef({ x: 0, y: 0 });
  const [atEnd, setAtEnd] = useState(true);
  return useMemo(() => {
    const letGo = () => {
      const element = scroller.current;
      if (element !== null && element.scrollHeight > element.clientHeight) follows.current = false;
    };
    /** To be called in the same frame as the content grows, before it is painted. */
    const keepUp = () => {
      const element = scroller.current;
      if (element === null) return;
      if (follows.current) element.scrollTop = element.scrollHeight;
      // What shrank may fit by now, without that anybody scrolled.
      else if (distanceOf(element) <= 1) {
        follows.current = true;
        setAtEnd(true);
      }
    };
    return {
      keepUp,
      letGo,
      toEnd: () => {
        follows.current = true;
        keepUp();
      },
      onScroll: () => {
        const element = scroller.current;
        if (element === null) return;
        const distance = distanceOf(element);
        const { scrollTop } = element;
        if (distance <= 1) follows.current = true;
        else if (scrollTop < last.current - 2) follows.current = false;
        else if (distance <= NEAR_END && scrollTop > last.current) follows.current = true;
        last.current = scrollTop;
        setAtEnd(follows.current || distance <= NEAR_END);
      },
      onWheel: ({ deltaY }: WheelEvent) => {
        if (deltaY < 0) letGo();
      },
      onKeyDown: ({ key }: KeyboardEvent) => {
        if (UP.has(key)) letGo();
      },
      onTouchStart: ({ touches }: React.TouchEvent) => {
        touched.current = placeOf(touches);
      },
      onTouchMove: ({ touches }: React.TouchEvent) => {
        const { x, y } = placeOf(touches);
        const down = y - touched.current.y;
        // One that moves sideways swipes to what is beside it.
        if (down > DRAGS && down > Math.abs(x - touched.current.x)) letGo();
      },
      atEnd,
    };
  }, [scroller, atEnd]);
}
