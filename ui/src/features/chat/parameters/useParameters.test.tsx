import { act, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import { ChatContext, type ChatController } from "../controller";
import { PendingChanges } from "../PendingChanges";
import { useParameters } from "./useParameters";

const chatOf = (id: string, temperature: number) => ({
  id,
  parameters: { temperature },
  change: vi.fn(),
  pending: new PendingChanges(),
});
let shown = chatOf("a", 0.1);

function Around({ children }: { children: ReactNode }) {
  return <ChatContext value={shown as unknown as ChatController}>{children}</ChatContext>;
}

test("what is changed in a chat is told to that one, also where another is shown by then", () => {
  const [first, second] = [shown, chatOf("b", 0.2)];
  const { result, rerender } = renderHook(useParameters, { wrapper: Around });
  act(() => result.current.set("temperature", 0.9));
  expect(result.current.values).toEqual({ temperature: 0.9 });
  shown = second;
  rerender();
  expect(result.current.values).toEqual({ temperature: 0.2 });
  expect(first.change).toHaveBeenCalledExactlyOnceWith({ parameters: { temperature: 0.9 } });
  expect(second.change).not.toHaveBeenCalled();
});

test("what is typed is told before the next message goes, however short a time ago that was", async () => {
  shown = chatOf("c", 0.3);
  const { result } = renderHook(useParameters, { wrapper: Around });
  act(() => result.current.set("temperature", 0.8));
  expect(shown.change).not.toHaveBeenCalled();
  await act(() => shown.pending.settle());
  expect(shown.change).toHaveBeenCalledExactlyOnceWith({ parameters: { temperature: 0.8 } });
});
