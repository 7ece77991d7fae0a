import { expect, test } from "vitest";
import { MessageTree } from "./tree";
import type { ChatTurn } from "./wire";

const turn = (id: string, parent: string | null): ChatTurn => ({ id, parent, role: "user", created: 0 });

const tree = new MessageTree([
  turn("q", null),
  turn("a1", "q"),
  turn("a2", "q"),
  turn("q1", "a1"),
  turn("q2", "a2"),
  turn("a3", "q1"),
]);

test("a branch is the way from the first message to its end", () => {
  expect(tree.branch("a3").map(({ id }) => id)).toEqual(["q", "a1", "q1", "a3"]);
  expect(tree.branch("q2").map(({ id }) => id)).toEqual(["q", "a2", "q2"]);
  expect(tree.branch(null)).toEqual([]);
});

test("messages of one parent are each other's branches, in their order", () => {
  expect(tree.siblings(turn("a2", "q"))).toEqual(["a1", "a2"]);
  expect(tree.siblings(turn("q", null))).toEqual(["q"]);
});

test("the branch through a message ends where its latest one does", () => {
  expect(tree.leafThrough("a1")).toBe("a3");
  expect(tree.leafThrough("q")).toBe("q2");
  expect(tree.leafThrough("a3")).toBe("a3");
});
