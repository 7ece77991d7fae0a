import { useMemo } from "react";
import { usePreferences } from "@/app/preferences";

const UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** Makes numbers, sizes and times readable in `language`. */
export function formatter(language: string) {
  const number = (value: number, digits = 0) =>
    new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
  return {
    number,
    /** Bytes, in decimal units as the command line has them. */
    bytes(value: number): string {
      const step = Math.min(UNITS.length - 1, value < 1 ? 0 : Math.floor(Math.log10(value) / 3));
      const scaled = value / 1000 ** step;
      return `${number(scaled, step > 1 && scaled < 100 ? 1 : 0)} ${UNITS[step]}`;
    },
    /** Seconds, as `1.2 s`, `3 min 5 s` or `2 h 10 min`. */
    duration(seconds: number): string {
      if (seconds < 1) return `${number(seconds * 1000)} ms`;
      if (seconds < 60) return `${number(seconds, seconds < 10 ? 1 : 0)} s`;
      const whole = Math.round(seconds);
      if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
      return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
    },
    date: (at: Date) => new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(at),
    time: (at: Date) => new Intl.DateTimeFormat(language, { timeStyle: "medium" }).format(at),
    /** How long ago or ahead `at` is, as in "5 minutes ago". */
    relative(at: Date, now = new Date()): string {
      const seconds = (at.getTime() - now.getTime()) / 1000;
      const steps: [Intl.RelativeTimeFormatUnit, number][] = [
        ["day", 86_400],
        ["hour", 3_600],
        ["minute", 60],
      ];
      const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
      for (const [unit, size] of steps) {
        if (Math.abs(seconds) >= size) return format.format(Math.round(seconds / size), unit);
      }
      return format.format(Math.round(seconds), "second");
    },
  };
}

export type Formatter = ReturnType<typeof formatter>;

export function useFormat(): Formatter {
  const { language } = usePreferences();
  return useMemo(() => formatter(language), [language]);
}
