import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test } from "vitest";
import { useAttachments } from "./useAttachments";

const client = new QueryClient();
const Around = ({ children }: { children: ReactNode }) => (
  <QueryClientProvider client={client}>{children}</QueryClientProvider>
);

test("a file that is refused or taken away is counted as lost, and says why for as long as it is there", async () => {
  const { result } = renderHook(() => useAttachments(null), { wrapper: Around });
  act(() => result.current.add([new File([], "empty.txt")]));
  expect(result.current.busy).toBe(true);
  await waitFor(() => expect(result.current.busy).toBe(false));
  expect(result.current.losses).toBe(1);
  expect(result.current.list[0]?.error).not.toBeNull();
  act(() => result.current.remove(0));
  expect(result.current.losses).toBe(2);
  expect(result.current.list).toEqual([]);
});
