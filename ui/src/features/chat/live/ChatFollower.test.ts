import { expect, test } from "vitest";
import { MessageTree } from "../tree";
import { MessageViews } from "../views";
import type { Chat, ChatDetail, ChatTurn } from "../wire";
import { ChatFollower } from "./ChatFollower";

const chat: Chat = { id: "c", title: "T", created: 0, updated: 0, version: 1, leaf: "a" };
const question: ChatTurn = { id: "q", parent: null, role: "user", created: 0, content: [{ type: "text", text: "Q" }] };
const answer: ChatTurn = { id: "a", parent: "q", role: "assistant", created: 0, state: "waiting", tokens: 0 };

function following() {
  let detail: ChatDetail | undefined;
  let dropped = false;
  const follower = new ChatFollower("/nowhere", {
    read: () => detail,
    write: (next) => {
      detail = next;
    },
    drop: () => {
      dropped = true;
    },
  });
  const views = new MessageViews(follower);
  const tell = (name: string, data: unknown) => follower.take({ name, data: JSON.stringify(data), id: undefined });
  const shown = () => views.branch(new MessageTree(detail?.messages ?? []), detail?.chat.leaf ?? null);
  const textOfLast = () => {
    const part = shown()
      .at(-1)
      ?.parts.find(({ kind }) => kind === "text");
    return part?.kind === "text" ? (part.live?.text ?? part.text) : "";
  };
  return { follower, tell, shown, textOfLast, isDropped: () => dropped, chat: () => detail?.chat };
}

test("an answer grows by its deltas, and is what the server says at its end", () => {
  const { tell, shown, textOfLast } = following();
  tell("snapshot", { chat, messages: [question, answer] });
  expect(shown().map(({ state }) => state)).toEqual(["done", "waiting"]);
  tell("delta", { message: "a", start: 0, tokens: 2, text: "The sky" });
  tell("delta", { message: "a", start: 2, tokens: 3, text: " is" });
  expect(textOfLast()).toBe("The sky is");
  expect(shown().at(-1)?.state).toBe("streaming");
  tell("message", { ...answer, state: "done", tokens: 4, content: [{ type: "text", text: "The sky is blue" }] });
  expect(textOfLast()).toBe("The sky is blue");
  expect(shown().at(-1)?.state).toBe("done");
});

test("a piece that comes again changes nothing, also after a snapshot that has it", () => {
  const { tell, textOfLast } = following();
  const begun = { ...answer, state: "streaming", tokens: 3, content: [{ type: "text", text: "The sky is" }] };
  tell("snapshot", { chat, messages: [question, begun] });
  tell("delta", { message: "a", start: 2, tokens: 3, text: " is" });
  tell("delta", { message: "a", start: 3, tokens: 4, text: " blue" });
  tell("delta", { message: "a", start: 3, tokens: 4, text: " blue" });
  expect(textOfLast()).toBe("The sky is blue");
});

test("an answer that goes on where it was cut grows in the same message", () => {
  const { tell, shown, textOfLast } = following();
  const cut = { ...answer, state: "cut", tokens: 2, content: [{ type: "text", text: "The sky" }], continuable: true };
  tell("snapshot", { chat, messages: [question, cut] });
  tell("message", { ...cut, state: "waiting" });
  tell("delta", { message: "a", start: 2, tokens: 3, text: " is" });
  expect(textOfLast()).toBe("The sky is");
  expect(shown()).toHaveLength(2);
});

test("reasoning, text and calls are parts of their own, in their order", () => {
  const { tell, shown } = following();
  tell("snapshot", { chat, messages: [question, answer] });
  tell("delta", { message: "a", start: 0, tokens: 1, reasoning: "Hm." });
  tell("delta", { message: "a", start: 1, tokens: 2, text: "Let me see." });
  tell("delta", {
    message: "a",
    start: 2,
    tokens: 3,
    tool_calls: [{ index: 0, id: "x", name: "clock", arguments: "{" }],
  });
  tell("delta", { message: "a", start: 3, tokens: 4, tool_calls: [{ index: 0, arguments: "}" }] });
  const parts = shown().at(-1)?.parts ?? [];
  expect(parts.map(({ kind }) => kind)).toEqual(["reasoning", "text", "call"]);
  expect(parts.at(-1)).toMatchObject({ call: { id: "x", name: "clock", arguments: "{}" } });
});

test("what a request led to is shown once, whether its answer or the event comes first", () => {
  const { follower, tell, shown } = following();
  tell("snapshot", { chat: { ...chat, leaf: null }, messages: [] });
  tell("message", question);
  follower.learn({ chat: { ...chat, version: 2 }, message: question, answers: [answer] });
  tell("message", answer);
  tell("chat", { ...chat, version: 2 });
  expect(shown().map(({ id }) => id)).toEqual(["q", "a"]);
});

test("an older state of the chat does not replace a newer one", () => {
  const { tell, chat: now } = following();
  tell("snapshot", { chat: { ...chat, version: 5, title: "New" }, messages: [] });
  tell("chat", { ...chat, version: 4, title: "Old" });
  expect(now()?.title).toBe("New");
});

test("messages that did not change are the same objects after another snapshot", () => {
  const { tell, shown } = following();
  tell("snapshot", { chat, messages: [question, { ...answer, state: "done" }] });
  const before = shown();
  tell("snapshot", { chat, messages: [question, { ...answer, state: "done" }] });
  expect(shown()[0]).toBe(before[0]);
  expect(shown()[1]).toBe(before[1]);
});

test("a chat that is deleted elsewhere is dropped", () => {
  const { tell, isDropped } = following();
  tell("snapshot", { chat, messages: [] });
  tell("removed", { id: "c" });
  expect(isDropped()).toBe(true);
});

test("a chat is at work while an answer is on its way or a call runs, not while it waits for a person", () => {
  const { follower, tell } = following();
  const calls = (...states: string[]) => states.map((state, at) => ({ id: `${at}`, name: "clock", state }));
  expect(follower.isAtWork()).toBe(false);
  tell("snapshot", { chat, messages: [question, answer] });
  expect(follower.isAtWork()).toBe(true);
  tell("message", { ...answer, state: "tools", tool_calls: calls("done", "waiting") });
  expect(follower.isAtWork()).toBe(false);
  tell("message", { ...answer, state: "tools", tool_calls: calls("running", "waiting") });
  expect(follower.isAtWork()).toBe(true);
});
