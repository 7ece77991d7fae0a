import { expect, test } from "vitest";
import { type ChatSummary, grouped } from "./groups";

const now = new Date(2026, 10, 27, 12);
const chat = (id: string, daysAgo: number, rest: Partial<ChatSummary> = {}): ChatSummary => ({
  id,
  title: id,
  folder: null,
  pinned: false,
  archived: false,
  busy: false,
  updatedAt: new Date(now.getTime() - daysAgo * 86_400_000),
  ...rest,
});

test("pinned chats come first, then folders by name, then the rest by age, the newest first in each", () => {
  const groups = grouped(
    [
      chat("old", 400),
      chat("today", 0),
      chat("z", 1, { folder: { id: "1", name: "Zoo" } }),
      chat("a", 3, { folder: { id: "2", name: "Art" } }),
      chat("pinned", 90, { pinned: true, folder: { id: "2", name: "Art" } }),
      chat("today too", 0.1),
      chat("yesterday", 1),
      chat("week", 5),
      chat("month", 20),
    ],
    now,
  );
  expect(groups.map(({ key, chats }) => [key, chats.map(({ id }) => id)])).toEqual([
    ["pinned", ["pinned"]],
    ["folder:Art:2", ["a"]],
    ["folder:Zoo:1", ["z"]],
    ["today", ["today", "today too"]],
    ["yesterday", ["yesterday"]],
    ["week", ["week"]],
    ["month", ["month"]],
    ["older", ["old"]],
  ]);
});

test("a folder is there without a chat, too", () => {
  const folders = [
    { id: "1", name: "Zoo" },
    { id: "2", name: "Art" },
  ];
  const groups = grouped([chat("today", 0), chat("z", 1, { folder: { id: "1", name: "Zoo" } })], now, folders);
  expect(groups.map(({ key, chats }) => [key, chats.map(({ id }) => id)])).toEqual([
    ["folder:Art:2", []],
    ["folder:Zoo:1", ["z"]],
    ["today", ["today"]],
  ]);
});
