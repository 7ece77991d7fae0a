import { act, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import { ChatContext, type ChatController } from "../controller";
import { useParameters } from "./useParameters";

const chatOf = (id: string, temperature: number) => ({ id, parameters: { temperature }, change: vi.fn() });

test("what is changed in a chat is told to that one, also where another is shown by then", () => {
  const [first, second] = [chatOf("a", 0.1), chatOf("b", 0.2)];
  let shown = first;
  const Around = ({ children }: { children: ReactNode }) => (
    <ChatContext value={shown as unknown as ChatController}>{children}</ChatContext>
  );
  const { result, rerender } = renderHook(useParameters, { wrapper: Around });
  act(() => result.current.set("temperature", 0.9));
  expect(result.current.values).toEqual({ temperature: 0.9 });
  shown = second;
  rerender();
  expect(result.current.values).toEqual({ temperature: 0.2 });
  expect(first.change).toHaveBeenCalledExactlyOnceWith({ parameters: { temperature: 0.9 } });
  expect(second.change).not.toHaveBeenCalled();
});
