import { expect, test } from "vitest";
import type { Message } from "../model";
import { MessageTree } from "../tree";
import type { ChatTurn } from "../wire";
import { comparisonOf, versionsOf } from "./comparison";

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

test("the answer that is shown and the latest of another model stand side by side, each model on its side", () => {
  const tree = new MessageTree([
    turn("q", null, "user"),
    turn("a1", "q", "assistant", "small"),
    turn("b1", "q", "assistant", "large"),
    turn("a2", "q", "assistant", "small"),
  ]);
  expect(comparisonOf(tree, branch(tree, "a2"))).toMatchObject({ to: "q", answers: [{ id: "a2" }, { id: "b1" }] });
  expect(comparisonOf(tree, branch(tree, "a1"))).toMatchObject({ to: "q", answers: [{ id: "a1" }, { id: "b1" }] });
  expect(comparisonOf(tree, branch(tree, "b1"))).toMatchObject({ to: "q", answers: [{ id: "a2" }, { id: "b1" }] });
});

test("an answer that a person has put right is shown alone, and both again on another branch", () => {
  const tree = new MessageTree([
    turn("q", null, "user"),
    turn("a", "q", "assistant", "small"),
    turn("b", "q", "assistant", "large"),
    turn("edited", "q", "assistant"),
  ]);
  expect(comparisonOf(tree, branch(tree, "edited"))).toBeNull();
  expect(comparisonOf(tree, branch(tree, "b"))).toMatchObject({ answers: [{ id: "a" }, { id: "b" }] });
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

test("a side goes through the answers of its own model, and the other stays where it is", () => {
  const answers = [
    turn("a1", "q", "assistant", "small"),
    turn("b1", "q", "assistant", "large"),
    turn("a2", "q", "assistant", "small"),
    turn("b2", "q", "assistant", "large"),
  ] as const;
  const tree = new MessageTree([turn("q", null, "user"), ...answers]);
  expect(versionsOf(tree, answers[2])).toEqual(["a1", "a2"]);
  expect(versionsOf(tree, answers[1])).toEqual(["b1", "b2"]);
  expect(comparisonOf(tree, branch(tree, "a1"), "b1")).toMatchObject({ answers: [{ id: "a1" }, { id: "b1" }] });
  expect(comparisonOf(tree, branch(tree, "b1"), "a1")).toMatchObject({ answers: [{ id: "a1" }, { id: "b1" }] });
  // One that is of the model that is shown, or gone, is not taken.
  expect(comparisonOf(tree, branch(tree, "a1"), "a2")).toMatchObject({ answers: [{ id: "a1" }, { id: "b2" }] });
});
