import { act, fireEvent, render, screen } from "@testing-library/react";
import { useRef } from "react";
import { expect, test } from "vitest";
import { useFollow } from "./useFollow";

let grow: () => void = () => {};

function Scroller() {
  const scroller = useRef<HTMLDivElement>(null);
  const { keepUp, onTouchStart, onTouchMove } = useFollow(scroller);
  const listeners = { onTouchStart, onTouchMove };
  grow = keepUp;
  return <div ref={scroller} role="log" {...listeners} />;
}

/** A scroller of 100 pixels with as much in it as `add` has been told. */
function shown() {
  render(<Scroller />);
  const element = screen.getByRole("log");
  let height = 100;
  let top = 0;
  Object.defineProperties(element, {
    scrollHeight: { get: () => height },
    clientHeight: { get: () => 100 },
    scrollTop: {
      get: () => top,
      set: (wanted: number) => {
        top = Math.min(wanted, height - 100);
      },
    },
  });
  const add = (pixels: number) => {
    height += pixels;
    act(() => grow());
  };
  const drag = (x: number, y: number) => {
    fireEvent.touchStart(element, { touches: [{ clientX: 200, clientY: 50 }] });
    fireEvent.touchMove(element, { touches: [{ clientX: 200 + x, clientY: 50 + y }] });
  };
  return { element, add, drag };
}

test("a finger that draws the text down is let go, one that swipes to another answer is followed for", () => {
  const { element, add, drag } = shown();
  add(200);
  expect(element.scrollTop).toBe(200);
  drag(-120, 12);
  add(50);
  expect(element.scrollTop).toBe(250);
  drag(3, 12);
  add(50);
  expect(element.scrollTop).toBe(250);
});
