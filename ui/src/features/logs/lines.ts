import type { Schemas } from "@/api/client";
import type { ServerEvent } from "@/api/events";

/** As the server tells it, which leaves nothing out. */
export type LogLine = Required<Schemas["LogLine"]>;

export const LEVELS = ["debug", "info", "warning", "error", "critical"] as const;
export type Level = (typeof LEVELS)[number];

const MOST_LINES = 5_000;

/** What is looked at: lines of a level and above, of a logger, with a text in them. */
export interface LogFilter {
  level: Level;
  logger: string;
  text: string;
}

/** Returns the lines that are known after an event. */
export function withLine(known: LogLine[] | undefined, event: ServerEvent): LogLine[] | undefined {
  if (event.name === "reset") return [];
  if (event.name !== "line") return known;
  const line = JSON.parse(event.data) as LogLine;
  const before = known ?? [];
  return before.length < MOST_LINES ? [...before, line] : [...before.slice(1 - MOST_LINES), line];
}

/** Returns where the lines of a filter are followed. */
export function feedOf({ level, logger, text }: LogFilter): string {
  const query = new URLSearchParams({ limit: "2000" });
  if (level !== "debug") query.set("level", level);
  if (logger !== "") query.set("logger", logger);
  if (text.trim() !== "") query.set("text", text.trim().slice(0, 200));
  return `/api/ui/logs/events?${query}`;
}

/** Returns lines as a text that people paste elsewhere. */
export const asText = (lines: readonly LogLine[]): string =>
  lines
    .map(({ t, level, logger, message, request_id, traceback }) =>
      [
        `${new Date(t * 1000).toISOString()} ${level.toUpperCase().padEnd(8)} ${logger}: ${message}`,
        ...(request_id === "" ? [] : [`  ${request_id}`]),
        ...(traceback === "" ? [] : [traceback]),
      ].join("\n"),
    )
    .join("\n");
