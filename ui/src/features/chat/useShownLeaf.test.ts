import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import { MessageTree } from "./tree";
import { useShownLeaf } from "./useShownLeaf";

const turn = (id: string, parent: string | null, role: "user" | "assistant") => ({ id, parent, role, created: 0 });
const tree = new MessageTree([
  turn("q1", null, "user"),
  turn("a1", "q1", "assistant"),
  turn("q2", null, "user"),
  turn("a2", "q2", "assistant"),
  turn("b1", "q1", "assistant"),
]);
const NONE = new Map<string, string>();
const EDIT = new Map([["q1", "typed"]]);

const shown = () =>
  renderHook(({ leaf, typed }) => useShownLeaf(tree, leaf, typed), { initialProps: { leaf: "a1", typed: EDIT } });

test("a page stays with the message that is changed there when the chat goes elsewhere, until that has ended", () => {
  const { result, rerender } = shown();
  rerender({ leaf: "a2", typed: EDIT });
  expect(result.current).toMatchObject({ leaf: "a1", isHeld: true });
  rerender({ leaf: "a2", typed: NONE });
  expect(result.current).toMatchObject({ leaf: "a2", isHeld: false });
});

test("a page goes to what the person there asks for, and to where the message that is changed is too", () => {
  const { result, rerender } = shown();
  rerender({ leaf: "b1", typed: EDIT });
  expect(result.current).toMatchObject({ leaf: "b1", isHeld: false });
  rerender({ leaf: "a2", typed: EDIT });
  act(() => result.current.go("a2"));
  expect(result.current).toMatchObject({ leaf: "a2", isHeld: false });
});
