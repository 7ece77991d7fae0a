import { act, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import { ChatContext, type ChatController } from "../controller";
import { useParameters } from "./useParameters";

const chatOf = (id: string, temperature: number) => ({ id, parameters: { temperature }, change: vi.fn() });
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
