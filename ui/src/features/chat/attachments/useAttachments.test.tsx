import { File as NodeFile } from "node:buffer";
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
  const { result } = renderHook(() => useAttachments(null, null), { wrapper: Around });
  act(() => result.current.add([new File([], "empty.txt")]));
  expect(result.current.busy).toBe(true);
  await waitFor(() => expect(result.current.busy).toBe(false));
  expect(result.current.losses).toBe(1);
  expect(result.current.list[0]?.error).not.toBeNull();
  act(() => result.current.remove(0));
  expect(result.current.losses).toBe(2);
  expect(result.current.list).toEqual([]);
});

// jsdom's files can't be read.
const note = (name: string) => new NodeFile(["milk"], name, { type: "text/plain" }) as unknown as File;

test("what is attached stays with its chat, and what came while a message went stays for the next one", async () => {
  const { result, rerender } = renderHook(({ chat }) => useAttachments(chat, null), {
    wrapper: Around,
    initialProps: { chat: "a" },
  });
  act(() => result.current.add([note("sent.txt")]));
  await waitFor(() => expect(result.current.contents).toHaveLength(1));
  rerender({ chat: "b" });
  expect(result.current.list).toEqual([]);
  rerender({ chat: "a" });
  const sent = result.current.list;
  act(() => result.current.add([note("later.txt")]));
  act(() => result.current.clear(sent));
  expect(result.current.list.map(({ name }) => name)).toEqual(["later.txt"]);
});

test("the first file for which there is no room says so, and those after it are left out", async () => {
  const { result } = renderHook(() => useAttachments(null, null), { wrapper: Around });
  act(() => result.current.add(Array.from({ length: 25 }, (_, index) => note(`${index}.txt`))));
  await waitFor(() => expect(result.current.busy).toBe(false));
  expect(result.current.contents).toHaveLength(20);
  expect(result.current.list.at(-1)?.name).toBe("20.txt");
  expect(result.current.list.at(-1)?.error).toHaveProperty("refusal.reason", "many");
  act(() => result.current.add([note("more.txt")]));
  expect(result.current.list).toHaveLength(21);
});
