import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, test, vi } from "vitest";
import type { ChatController } from "../controller";
import { useContextUse } from "./useContextUse";

afterEach(() => vi.unstubAllGlobals());

const chat = (messages: object[]) => ({ model: "tiny", messages }) as unknown as ChatController;
const answer = { id: "a", turn: { usage: { prompt_tokens: 30, completion_tokens: 10 } } };

test("a model is known to be loaded once it has answered, and not at the next turn of the interval", async () => {
  let loaded: object[] = [];
  const asked = vi.fn(async () => Response.json({ models: loaded }));
  vi.stubGlobal("fetch", asked);
  const client = new QueryClient();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  const { result, rerender } = renderHook(useContextUse, { wrapper, initialProps: chat([]) });
  await waitFor(() => expect(client.isFetching()).toBe(0));
  expect(asked).toHaveBeenCalledOnce();
  loaded = [{ name: "tiny:latest", context_length: 100 }];
  rerender(chat([answer]));
  await waitFor(() => expect(asked).toHaveBeenCalledTimes(2));
  await waitFor(() => expect(result.current).toEqual({ used: 40, context: 100 }));
});
