import { renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Message } from "./model";
import { PendingChanges } from "./PendingChanges";
import { MessageTree } from "./tree";
import { useMessageActionsOf } from "./useMessageActionsOf";

const question: Message = {
  id: "q",
  role: "user",
  state: "done",
  parts: [{ kind: "text", text: "Why?" }],
  siblings: ["q"],
  turn: { id: "q", parent: null, role: "user", created: 0, content: [{ type: "text", text: "Why?" }] },
};

let answer: (response: Response) => void;

/** A server that answers when the test says so. */
beforeEach(() => {
  const answered = new Promise<Response>((resolve) => {
    answer = resolve;
  });
  vi.stubGlobal("fetch", () => answered);
});
afterEach(() => vi.unstubAllGlobals());

function around(id: string) {
  const learn = vi.fn();
  const tree = new MessageTree([question.turn]);
  const pending = new PendingChanges();
  return { id, tree, learn, pending, change: vi.fn(), refused: vi.fn() };
}

test("what an action led to is told to its own chat, also where another is shown by then", async () => {
  const [first, second] = [around("a"), around("b")];
  const { result, rerender } = renderHook(useMessageActionsOf, { initialProps: first });
  result.current.regenerate(question);
  rerender(second);
  const made = { chat: { id: "a" }, answers: [] };
  answer(Response.json(made));
  await vi.waitFor(() => expect(first.learn).toHaveBeenCalledExactlyOnceWith(made));
  expect(second.learn).not.toHaveBeenCalled();
});

test("whoever sends a changed message hears whether the server took it", async () => {
  const chat = around("a");
  const { result } = renderHook(useMessageActionsOf, { initialProps: chat });
  const taken = result.current.edit(question, "How?", []);
  answer(Response.json({ error: { message: "the disk is full" } }, { status: 507 }));
  expect(await taken).toBe(false);
  expect(chat.refused).toHaveBeenCalledOnce();
});
