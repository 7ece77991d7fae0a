import type { Schemas } from "@/api/client";
import type { ServerEvent } from "@/api/events";

export type Point = Schemas["MetricsPoint"];
export type History = Schemas["MetricsHistory"];
export type Measure = Exclude<keyof Point, "t">;

/** What can be looked at: the last seconds so many, in points of `resolution` seconds each. */
export const RANGES = {
  "10m": { seconds: 600, resolution: 1 },
  "2h": { seconds: 7_200, resolution: 10 },
  "24h": { seconds: 86_400, resolution: 60 },
} as const;

export type Range = keyof typeof RANGES;

const spans: Record<number, number> = Object.fromEntries(
  Object.values(RANGES).map(({ seconds, resolution }) => [resolution, seconds]),
);

/** Returns the history with the point of an event: a later state of the last one, or the next. */
export function withEvent(history: History | undefined, event: ServerEvent): History | undefined {
  if (history === undefined || event.name !== "point") return history;
  const point = JSON.parse(event.data) as Point;
  const since = point.t - (spans[history.resolution] ?? 0);
  const before = history.points.filter(({ t }) => t < point.t && t > since);
  return { ...history, last: point.t, points: [...before, point] };
}

/** Series by time, as uPlot takes them: a column of times in seconds, then one of values for each measure. */
export type Columns = [number[], ...(number | null)[][]];

/** Returns the columns of `measures`. Where nothing was measured for a while there is a gap, not a line across. */
export function columns(points: readonly Point[], measures: readonly Measure[], resolution: number): Columns {
  const times: number[] = [];
  const values: (number | null)[][] = measures.map(() => []);
  let before: number | undefined;
  for (const point of points) {
    if (before !== undefined && point.t - before > 2.5 * resolution) {
      times.push(before + resolution);
      for (const column of values) column.push(null);
    }
    before = point.t;
    times.push(point.t);
    for (const [index, measure] of measures.entries()) values[index]?.push(point[measure]);
  }
  return [times, ...values];
}

export interface Summary {
  last: number | null;
  least: number | null;
  most: number | null;
  average: number | null;
}

/** Returns what a series comes to, for those who can't see its curve. */
export function summary(points: readonly Point[], measure: Measure): Summary {
  const values = points.map((point) => point[measure]).filter((value) => value !== null);
  if (values.length === 0) return { last: null, least: null, most: null, average: null };
  return {
    last: values.at(-1) ?? null,
    least: values.reduce((least, value) => Math.min(least, value)),
    most: values.reduce((most, value) => Math.max(most, value)),
    average: values.reduce((sum, value) => sum + value, 0) / values.length,
  };
}

/** Returns the latest value that was measured, at most `seconds` before the last point. */
export function latest(points: readonly Point[], measure: Measure, seconds = 15): number | null {
  const end = points.at(-1)?.t ?? 0;
  const found = points.findLast((point) => point.t >= end - seconds && point[measure] !== null);
  return found === undefined ? null : found[measure];
}

/** Returns the sum of a count over the points. */
export const total = (points: readonly Point[], measure: Measure): number =>
  points.reduce((sum, point) => sum + (point[measure] ?? 0), 0);

/** What a zoom shows, in seconds since the epoch. */
export interface Window {
  from: number;
  to: number;
}

/** Returns what is shown where nobody has zoomed: the range, or as much of it as there is something of. */
export function whole(points: readonly Point[], range: Range): Window {
  const { seconds, resolution } = RANGES[range];
  const to = points.at(-1)?.t ?? 0;
  const first = Math.max(points[0]?.t ?? 0, to - seconds);
  return { from: Math.min(first, to - 60 * resolution), to };
}

/** Returns half of what is shown, to its end: what one comes for is mostly what happened last. */
export function closer({ from, to }: Window, resolution: number): Window {
  const width = Math.max((to - from) / 2, 10 * resolution);
  return { from: to - width, to };
}
