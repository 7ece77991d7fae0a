import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { OfflineNotice } from "./OfflineNotice";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a server that never answers is away, and is said to be until it answers", async () => {
  vi.useFakeTimers();
  let isAway = true;
  vi.stubGlobal("fetch", (_: string, { signal }: RequestInit) => {
    if (!isAway) return Promise.resolve(new Response());
    return new Promise((_, refuse) => {
      signal?.addEventListener("abort", () => refuse(new DOMException("aborted", "AbortError")));
    });
  });
  render(
    <QueryClientProvider client={new QueryClient()}>
      <OfflineNotice />
    </QueryClientProvider>,
  );
  const notice = screen.getByRole("status");
  expect(notice).toBeEmptyDOMElement();
  await act(() => vi.advanceTimersByTimeAsync(20_100));
  expect(notice).toHaveTextContent("The server can't be reached.");
  isAway = false;
  await act(() => vi.advanceTimersByTimeAsync(2_500));
  expect(notice).toBeEmptyDOMElement();
});
