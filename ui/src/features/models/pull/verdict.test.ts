import { describe, expect, it } from "vitest";
import { type Estimate, verdictOf } from "./verdict";

const estimate = (runs: boolean, room: boolean, fits: boolean | null) =>
  ({ runs, disk: { fits: room }, memory: fits === null ? null : { fits } }) as Estimate;

describe("the verdict on a model", () => {
  it("names the gravest reason against it", () => {
    expect(verdictOf(estimate(false, false, false))).toBe("runsNot");
    expect(verdictOf(estimate(true, false, false))).toBe("noRoom");
    expect(verdictOf(estimate(true, true, false))).toBe("fitsNot");
  });

  it("is good where nothing speaks against it", () => {
    expect(verdictOf(estimate(true, true, true))).toBe("good");
    expect(verdictOf(estimate(true, true, null))).toBe("good");
  });
});
