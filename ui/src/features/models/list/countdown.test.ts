import { describe, expect, it } from "vitest";
import { clock, secondsLeft } from "./countdown";

describe("the countdown of a loaded model", () => {
  it("reads like a clock", () => {
    expect([299.4, 5, 0, -3, 3725].map(clock)).toEqual(["5:00", "0:05", "0:00", "0:00", "1:02:05"]);
  });

  it("ends at zero, and there is none for what stays", () => {
    expect(secondsLeft({ expires: 110 }, 100_000)).toBe(10);
    expect(secondsLeft({ expires: 90 }, 100_000)).toBe(0);
    expect(secondsLeft({ expires: null }, 100_000)).toBeNull();
  });
});
