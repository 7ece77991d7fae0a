import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { chatsMatching } from "./queries";
import { useFollowChats } from "./useFollowChats";

vi.mock("@/api/together", () => ({ followTogether: () => () => {} }));
afterEach(() => vi.unstubAllGlobals());

function List() {
  useFollowChats();
  const { data } = useQuery(chatsMatching(""));
  return <p>{data?.map(({ chat }) => chat.title).join(", ") ?? "none yet"}</p>;
}

test("a list that is shown again is read again, also where another tab leads and tells nothing of the past", async () => {
  const titles = ["Before", "After"];
  const asked = vi.fn(async () => Response.json({ chats: [{ id: "c", title: titles.shift(), updated: 0 }] }));
  vi.stubGlobal("fetch", asked);
  const client = new QueryClient();
  const page = () => (
    <QueryClientProvider client={client}>
      <List />
    </QueryClientProvider>
  );
  const first = render(page());
  expect(await screen.findByText("Before")).toBeVisible();
  expect(asked).toHaveBeenCalledOnce();
  first.unmount();
  render(page());
  expect(await screen.findByText("After")).toBeVisible();
});
