import type { Formatter } from "@/i18n/format";
import type { Unit } from "./definitions";

/** Returns a value in words: with its unit, and no more digits than are read. */
export function inUnit(value: number | null | undefined, unit: Unit, format: Formatter): string {
  if (value === null || value === undefined) return "–";
  switch (unit) {
    case "bytes":
      return format.bytes(value);
    case "seconds":
      if (value === 0) return "0 s";
      return value > 0 && value < 0.01 ? `${format.number(value * 1000, 1)} ms` : format.duration(value);
    case "share":
      return `${format.number(value * 100)} %`;
    case "rate":
      return `${format.number(value, value < 10 ? 1 : 0)} tok/s`;
    case "count":
      return format.number(value, value < 10 ? 1 : 0);
  }
}
