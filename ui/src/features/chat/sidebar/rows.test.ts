import { expect, test } from "vitest";
import { type ChatSummary, grouped } from "./groups";
import { nextChat, rowsOf } from "./rows";

const now = new Date("2026-03-20T12:00:00");
const chat = (id: string, more: Partial<ChatSummary> = {}): ChatSummary => ({
  id,
  title: id,
  folder: null,
  pinned: false,
  archived: false,
  updatedAt: now,
  busy: false,
  ...more,
});

test("arrow keys go from chat to chat past headings and empty folders, Home and End to the ends", () => {
  const rows = rowsOf(grouped([chat("a", { pinned: true }), chat("b"), chat("c")], now, [{ id: "f", name: "Empty" }]));
  const idOf = (index: number) => rows[index]?.chat?.id;
  const walk = (key: string, from: number) => idOf(nextChat(rows, from, key));
  const at = (id: string) => rows.findIndex((row) => row.chat?.id === id);
  expect(rows.map((row) => row.chat?.id ?? row.key)).toEqual(["pinned", "a", "folder:Empty:f", "today", "b", "c"]);
  expect(["a", "b", "c"].map((id) => walk("ArrowDown", at(id)))).toEqual(["b", "c", undefined]);
  expect(["a", "b", "c"].map((id) => walk("ArrowUp", at(id)))).toEqual([undefined, "a", "b"]);
  expect([walk("Home", at("c")), walk("End", at("a")), walk("x", at("a"))]).toEqual(["a", "c", undefined]);
});
