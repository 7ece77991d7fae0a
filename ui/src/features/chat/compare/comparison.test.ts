import { expect, test } from "vitest";
import type { Message } from "../model";
import { MessageTree } from "../tree";
import type { ChatTurn } from "../wire";
import { comparisonOf } from "./comparison";

const turn = (id: string, parent: string | null, role: ChatTurn["role"], model?: string): ChatTurn => ({
  id,
  parent,
  role,
  created: 0,
  ...(model === undefined ? {} : { model }),
});

const message = (given: ChatTurn): Message => ({
  id: given.id,
  role: given.role,
  state: "done",
  parts: [],
  siblings: [],
  turn: given,
});

const branch = (tree: MessageTree, leaf: string) => tree.branch(leaf).map(message);

test("the latest answers of two models to the last question stand side by side", () => {
  const tree = new MessageTree([
    turn("q", null, "user"),
    turn("a1", "q", "assistant", "small"),
    turn("b1", "q", "assistant", "large"),
    turn("a2", "q", "assistant", "small"),
  ]);
  expect(comparisonOf(tree, branch(tree, "a1"))).toMatchObject({ to: "q", answers: [{ id: "b1" }, { id: "a2" }] });
});

test("answers of one model, and those to what was said before, are no comparison", () => {
  const tree = new MessageTree([
    turn("q", null, "user"),
    turn("a", "q", "assistant", "small"),
    turn("b", "q", "assistant", "large"),
    turn("q2", "a", "user"),
    turn("c", "q2", "assistant", "small"),
    turn("d", "q2", "assistant", "small"),
  ]);
  expect(comparisonOf(tree, branch(tree, "c"))).toBeNull();
  expect(comparisonOf(tree, branch(tree, "a"))?.to).toBe("q");
  expect(comparisonOf(new MessageTree([]), [])).toBeNull();
});
