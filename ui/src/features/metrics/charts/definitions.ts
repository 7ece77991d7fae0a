import type { Measure } from "../points";
import type { MetricsTexts } from "../texts";

export type Unit = "rate" | "seconds" | "count" | "bytes" | "share";

export interface Series {
  measure: Measure;
  label: keyof MetricsTexts["series"];
  /** Of the tokens `--chart-1` to `--chart-6`. */
  color: 1 | 2 | 3 | 4 | 5 | 6;
}

export interface ChartDefinition {
  id: keyof MetricsTexts["charts"];
  unit: Unit;
  /** Something is measured now and then only: dots, and a line from one to the next. */
  sparse?: boolean;
  series: readonly Series[];
}

const percentiles = (name: "ttft" | "inter_token"): readonly Series[] => [
  { measure: `${name}_p50`, label: "p50", color: 1 },
  { measure: `${name}_p90`, label: "p90", color: 3 },
  { measure: `${name}_p99`, label: "p99", color: 4 },
];

/** The charts of the page, in its order. */
export const CHARTS: readonly ChartDefinition[] = [
  {
    id: "throughput",
    unit: "rate",
    series: [
      { measure: "decode_rate", label: "decode", color: 1 },
      { measure: "prefill_rate", label: "prefill", color: 2 },
    ],
  },
  { id: "ttft", unit: "seconds", sparse: true, series: percentiles("ttft") },
  { id: "interToken", unit: "seconds", sparse: true, series: percentiles("inter_token") },
  {
    id: "queue",
    unit: "count",
    series: [
      { measure: "open", label: "open", color: 5 },
      { measure: "running", label: "running", color: 1 },
      { measure: "waiting", label: "waiting", color: 3 },
    ],
  },
  {
    id: "batch",
    unit: "count",
    series: [
      { measure: "decode_batch", label: "decodeRows", color: 1 },
      { measure: "prefill_batch", label: "prefillTokens", color: 2 },
    ],
  },
  {
    id: "pages",
    unit: "count",
    series: [
      { measure: "pages_used", label: "used", color: 1 },
      { measure: "pages_cached", label: "cached", color: 2 },
      { measure: "pages_total", label: "total", color: 6 },
    ],
  },
  {
    id: "prefix",
    unit: "share",
    sparse: true,
    series: [
      { measure: "prefix_hit_ratio", label: "hits", color: 2 },
      { measure: "disk_hit_ratio", label: "fromDisk", color: 5 },
    ],
  },
  {
    id: "disk",
    unit: "bytes",
    series: [
      { measure: "disk_bytes", label: "kept", color: 2 },
      { measure: "disk_quota", label: "quota", color: 6 },
    ],
  },
  {
    id: "diskRates",
    unit: "bytes",
    series: [
      { measure: "disk_write_rate", label: "written", color: 1 },
      { measure: "disk_read_rate", label: "read", color: 2 },
    ],
  },
  { id: "drafts", unit: "share", sparse: true, series: [{ measure: "acceptance_ratio", label: "accepted", color: 1 }] },
  {
    id: "memory",
    unit: "bytes",
    series: [
      { measure: "memory_bytes", label: "processes", color: 1 },
      { measure: "engine_bytes", label: "engines", color: 2 },
      { measure: "available_bytes", label: "available", color: 6 },
    ],
  },
  {
    id: "outcomes",
    unit: "count",
    series: [
      { measure: "finished", label: "finished", color: 2 },
      { measure: "failed", label: "failed", color: 4 },
      { measure: "cancelled", label: "cancelled", color: 3 },
      { measure: "restarts", label: "restarts", color: 5 },
    ],
  },
];
