import { expect, it } from "vitest";
import { asText, feedOf, type LogLine, withLine } from "./lines";

const line = (id: number, fields: Partial<LogLine> = {}): LogLine => ({
  id,
  t: 0,
  level: "info",
  logger: "mlxr",
  message: `line ${id}`,
  request_id: "",
  traceback: "",
  ...fields,
});

const event = (name: string, data: unknown) => ({ name, id: "1", data: JSON.stringify(data) });

it("lines come one after another, the oldest leave when there are too many, and a reset forgets all", () => {
  let known: LogLine[] | undefined;
  for (let id = 0; id < 5_010; id += 1) known = withLine(known, event("line", line(id)));
  expect(known?.length).toBe(5_000);
  expect(known?.[0]?.id).toBe(10);
  expect(withLine(known, event("reset", {}))).toEqual([]);
});

it("a filter is what the server is asked", () => {
  expect(feedOf({ level: "debug", logger: "", text: "  " })).toBe("/api/ui/logs/events?limit=2000");
  expect(feedOf({ level: "error", logger: "mlxr.http", text: "a&b" })).toBe(
    "/api/ui/logs/events?limit=2000&level=error&logger=mlxr.http&text=a%26b",
  );
});

it("copied lines have time, level, logger and traceback", () => {
  expect(asText([line(1), line(2, { level: "error", traceback: "Traceback: x", request_id: "req_1" })])).toBe(
    [
      "1970-01-01T00:00:00.000Z INFO     mlxr: line 1",
      "1970-01-01T00:00:00.000Z ERROR    mlxr: line 2",
      "  req_1",
      "Traceback: x",
    ].join("\n"),
  );
});
