import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { SharedFeed } from "@/api/sharedFeed";
import { ChatsNotice } from "./ChatsNotice";
import { chatsMatching } from "./queries";
import { useFollowChats } from "./useFollowChats";

const feed = vi.hoisted(() => ({ current: undefined as SharedFeed | undefined }));

vi.mock("@/api/sharedFeed", () => ({
  followShared: (_: string, shared: SharedFeed) => {
    feed.current = shared;
    return () => {};
  },
}));

function Page() {
  useFollowChats();
  return <ChatsNotice />;
}

test("what the server says of all chats is shown with the list and as it changes, until it is read", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ chats: [], notice: "a damaged file was set aside" }));
  const client = new QueryClient();
  const page = () => (
    <QueryClientProvider client={client}>
      <Page />
    </QueryClientProvider>
  );
  const first = render(page());
  await act(() => client.fetchQuery(chatsMatching("")));
  expect(await screen.findByText("A damaged file was set aside")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  const isEmpty = () => expect(screen.getByRole("status")).toBeEmptyDOMElement();
  await waitFor(isEmpty);
  // The sidebar is closed and opened, and the list read again.
  first.unmount();
  render(page());
  await act(() => client.refetchQueries(chatsMatching("")));
  isEmpty();
  const tell = (notice: string | null) =>
    act(() => feed.current?.onEvent({ name: "notice", data: JSON.stringify({ notice }), id: "1" }));
  tell("the disk is full");
  expect(await screen.findByText("The disk is full")).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  await waitFor(isEmpty);
  // It was over, and comes back: that is news.
  tell(null);
  tell("the disk is full");
  expect(await screen.findByText("The disk is full")).toBeVisible();
  tell(null);
  await waitFor(isEmpty);
  vi.unstubAllGlobals();
});
