import { describe, expect, it } from "vitest";
import { formatter } from "@/i18n/format";
import { inUnit } from "./charts/units";
import { closer, columns, type History, latest, type Point, summary, total, whole, withEvent } from "./points";
import { sparkline } from "./tiles/sparkline";

const point = (t: number, fields: Partial<Point> = {}): Point => ({ t, decode_rate: t, ...fields }) as Point;
const history = (...points: Point[]): History => ({ resolution: 10, last: points.at(-1)?.t ?? 0, points });
const event = (told: Point) => ({ name: "point", id: String(told.t), data: JSON.stringify(told) });

describe("a history", () => {
  it("takes a later state of its last point in its place, and the next behind it", () => {
    const before = history(point(10), point(20, { decode_rate: 1 }));
    const after = withEvent(withEvent(before, event(point(20, { decode_rate: 2 }))), event(point(30)));
    expect(after?.points.map(({ t, decode_rate }) => [t, decode_rate])).toEqual([
      [10, 10],
      [20, 2],
      [30, 30],
    ]);
    expect(after?.last).toBe(30);
  });

  it("forgets what is older than its range", () => {
    const after = withEvent(history(point(10), point(100)), event(point(7_210)));
    expect(after?.points.map(({ t }) => t)).toEqual([100, 7_210]);
  });

  it("is not made of an event alone", () => {
    expect(withEvent(undefined, event(point(1)))).toBeUndefined();
  });
});

describe("columns", () => {
  it("have a gap where nothing was measured for a while", () => {
    expect(columns([point(10), point(20), point(80)], ["decode_rate"], 10)).toEqual([
      [10, 20, 30, 80],
      [10, 20, null, 80],
    ]);
  });
});

describe("what is told in words", () => {
  it("leaves out what was not measured", () => {
    const points = [point(1, { decode_rate: null }), point(2), point(4)];
    expect(summary(points, "decode_rate")).toEqual({ last: 4, least: 2, most: 4, average: 3 });
    expect(summary([], "decode_rate").average).toBeNull();
    expect(total([point(1, { failed: 2 }), point(2, { failed: 3 })], "failed")).toBe(5);
  });

  it("has the latest value, if it is not too old", () => {
    const points = [point(1), point(30, { decode_rate: null })];
    expect(latest(points, "decode_rate")).toBeNull();
    expect(latest(points, "decode_rate", 60)).toBe(1);
  });

  it("has units, and no digit too many", () => {
    const format = formatter("en");
    expect(inUnit(0.0042, "seconds", format)).toBe("4.2 ms");
    expect(inUnit(0, "seconds", format)).toBe("0 s");
    expect(inUnit(0.256, "share", format)).toBe("26 %");
    expect(inUnit(361.7, "rate", format)).toBe("362 tok/s");
    expect(inUnit(2_500_000, "bytes", format)).toBe("2.5 MB");
    expect(inUnit(null, "count", format)).toBe("–");
  });
});

describe("what is shown", () => {
  it("is the range, or what there is of it and a minute at least", () => {
    expect(whole([point(1_000), point(2_000)], "10m")).toEqual({ from: 1_400, to: 2_000 });
    expect(whole([point(1_900), point(2_000)], "10m")).toEqual({ from: 1_900, to: 2_000 });
    expect(whole([point(1_995), point(2_000)], "10m")).toEqual({ from: 1_940, to: 2_000 });
  });

  it("gets closer by half to its end, up to ten points", () => {
    expect(closer({ from: 0, to: 100 }, 1)).toEqual({ from: 50, to: 100 });
    expect(closer({ from: 90, to: 100 }, 1)).toEqual({ from: 90, to: 100 });
  });
});

describe("a sparkline", () => {
  it("goes from side to side, with the highest value at the top, and lifts its pen at gaps", () => {
    expect(sparkline([0, 10, null, 5], 30, 20)).toBe("M0 20L10 0M30 10");
    expect(sparkline([], 30, 20)).toBe("");
  });
});
