import { expect, test, vi } from "vitest";
import { LiveText } from "./LiveText";

test("however many tokens come within a frame, it is shown once, and whole at the end", () => {
  const frames: FrameRequestCallback[] = [];
  vi.stubGlobal("requestAnimationFrame", (callback: FrameRequestCallback) => frames.push(callback));
  const live = new LiveText();
  let shown = 0;
  live.subscribe(() => {
    shown += 1;
  });
  for (let count = 0; count < 50; count += 1) live.append(`word${count} `);
  expect(frames).toHaveLength(1);
  expect(shown).toBe(0);
  frames.shift()?.(performance.now() + 1000);
  expect(shown).toBe(1);
  live.append("last");
  live.flush();
  expect(
    live
      .segments()
      .flatMap(({ tokens }) => tokens.map(({ raw }) => raw))
      .join(""),
  ).toBe(live.text);
  vi.unstubAllGlobals();
});
