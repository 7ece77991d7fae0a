import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ChatContext, type ChatController } from "../controller";
import { LiveText } from "../live/LiveText";
import type { Message } from "../model";
import { ToolRunner } from "../tools/runner";
import type { ChatTurn } from "../wire";
import { Announcer } from "./Announcer";

const tools = vi.hoisted(() => ({ approval: "ask", runner: undefined as unknown }));
vi.mock("../tools/ToolsProvider", () => ({
  useTools: () => ({
    runner: tools.runner,
    all: [{ id: "notes__find", server: "notes", name: "find" }],
    settings: { built_in: {}, servers: [{ name: "notes", tools: { find: { enabled: true, ...tools } } }] },
  }),
}));

beforeEach(() => {
  vi.useFakeTimers();
  tools.runner = new ToolRunner();
});
afterEach(() => vi.useRealTimers());

function answer(turn: Partial<ChatTurn>): Message {
  const state = turn.state ?? "done";
  return { id: "a", role: "assistant", state, parts: [], siblings: ["a"], turn: { id: "a", ...turn } as ChatTurn };
}

function shown(live: LiveText | undefined, last: Message) {
  return (
    <ChatContext value={{ messages: [last] as readonly Message[] } as ChatController}>
      <Announcer live={live} last={last} />
    </ChatContext>
  );
}

const ended = (text: string): Message => ({ ...answer({}), parts: [{ kind: "text", text }] });

test("an answer is read from its first word on, in sentences, and its rest at the end", () => {
  const live = new LiveText();
  live.append("It was a ");
  const { rerender } = render(shown(live, answer({ state: "streaming" })));
  act(() => live.append("cold day. The har"));
  act(() => vi.advanceTimersByTime(4_000));
  expect(screen.getByRole("log")).toHaveTextContent(/^It was a cold day\.$/);
  act(() => live.append("bour slept"));
  act(() => vi.advanceTimersByTime(4_000));
  expect(screen.getByRole("log")).toHaveTextContent(/^It was a cold day\.$/);
  rerender(shown(undefined, ended("It was a cold day. The harbour slept")));
  expect(screen.getByRole("log")).toHaveTextContent(/^The harbour slept$/);
});

test("what was there before somebody opened the chat is not read out", () => {
  const live = new LiveText("Long ago. ");
  render(shown(live, answer({ state: "streaming" })));
  act(() => live.append("And now."));
  act(() => live.append(" "));
  act(() => vi.advanceTimersByTime(4_000));
  expect(screen.getByRole("log")).toHaveTextContent(/^And now\.$/);
});

test("nothing of an answer is left out where the connection breaks, or is read twice", () => {
  const streaming = answer({ state: "streaming" });
  const live = new LiveText();
  const { rerender } = render(shown(live, streaming));
  act(() => live.append("One came. Two"));
  act(() => vi.advanceTimersByTime(4_000));
  expect(screen.getByRole("log")).toHaveTextContent(/^One came\.$/);
  // What came meanwhile is known to the one that follows then.
  const again = new LiveText("One came. Two came. Three");
  rerender(shown(again, streaming));
  act(() => vi.advanceTimersByTime(4_000));
  expect(screen.getByRole("log")).toHaveTextContent(/^Two came\.$/);
  rerender(shown(undefined, ended("One came. Two came. Three came. Four came.")));
  expect(screen.getByRole("log")).toHaveTextContent(/^Three came\. Four came\.$/);
});

test("an answer that has come at once is read, and one that says the same as the one before", () => {
  const { rerender } = render(shown(undefined, answer({ state: "waiting" })));
  rerender(shown(undefined, ended("Yes.")));
  const first = screen.getByText("Yes.");
  const other = { id: "b", siblings: ["a", "b"] };
  rerender(shown(undefined, { ...answer({ state: "waiting" }), ...other }));
  rerender(shown(undefined, { ...ended("Yes."), ...other }));
  expect(screen.getByText("Yes.")).not.toBe(first);
});

test("a call is told of where it waits for a word, and not where it runs or is denied by itself", () => {
  const calling = answer({ state: "tools", tool_calls: [{ id: "1", name: "notes__find" }] });
  for (const [approval, said] of [
    ["ask", "notes__find wants to be run."],
    ["always", ""],
    ["never", ""],
  ] as const) {
    tools.approval = approval;
    const { unmount } = render(shown(undefined, calling));
    expect(screen.getByRole("status").textContent).toBe(said);
    unmount();
  }
});
