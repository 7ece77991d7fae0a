import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import type { SharedFeed } from "@/api/sharedFeed";
import { archivedChats, chatsMatching } from "./queries";
import { useFollowChats } from "./useFollowChats";

const feed = vi.hoisted(() => ({ tell: (_name: string, _data: object) => {} }));
vi.mock("@/api/sharedFeed", () => ({
  followShared: (_path: string, { onEvent }: SharedFeed) => {
    feed.tell = (name, data) => onEvent({ name, data: JSON.stringify(data), id: undefined });
    return () => {};
  },
}));
afterEach(() => vi.unstubAllGlobals());

function List() {
  useFollowChats();
  const { data } = useQuery(chatsMatching(""));
  return <p>{data?.map(({ chat }) => chat.title).join(", ") ?? "none yet"}</p>;
}

const page = (client = new QueryClient()) => (
  <QueryClientProvider client={client}>
    <List />
  </QueryClientProvider>
);

/** Answers the requests for the list one by one, when the test says so. */
function heldAnswers(): ((chats: object[]) => void)[] {
  const waiting: ((chats: object[]) => void)[] = [];
  const asked = () =>
    new Promise<Response>((answer) => {
      waiting.push((chats) => answer(Response.json({ chats })));
    });
  vi.stubGlobal("fetch", asked);
  return waiting;
}

const chat = (id: string, title: string, version: number) => ({ id, title, version, updated: 0 });

test("a list that is shown again is read again, also where another tab leads and tells nothing of the past", async () => {
  const titles = ["Before", "After"];
  const asked = vi.fn(async () => Response.json({ chats: [{ id: "c", title: titles.shift(), updated: 0 }] }));
  vi.stubGlobal("fetch", asked);
  const client = new QueryClient();
  const first = render(page(client));
  expect(await screen.findByText("Before")).toBeVisible();
  expect(asked).toHaveBeenCalledOnce();
  first.unmount();
  render(page(client));
  expect(await screen.findByText("After")).toBeVisible();
});

test("what is told while the list is on its way is not lost, and nothing older takes its place", async () => {
  const answers = heldAnswers();
  render(page());
  await vi.waitFor(() => expect(answers).toHaveLength(1));
  act(() => {
    feed.tell("chat", chat("new", "Begun meanwhile", 1));
    feed.tell("chat", chat("known", "Old title", 1));
    feed.tell("removed", { id: "gone" });
  });
  answers[0]?.([chat("known", "New title", 2), chat("gone", "Deleted meanwhile", 1)]);
  expect(await screen.findByText("Begun meanwhile, New title")).toBeVisible();
});

test("a list that is to be read again while it is on its way is read once more", async () => {
  const answers = heldAnswers();
  render(page());
  await vi.waitFor(() => expect(answers).toHaveLength(1));
  act(() => feed.tell("reset", { running: [] }));
  answers[0]?.([chat("c", "Before", 1)]);
  await vi.waitFor(() => expect(answers).toHaveLength(2));
  answers[1]?.([chat("c", "After", 2)]);
  expect(await screen.findByText("After")).toBeVisible();
});

test("a chat that is archived, here or elsewhere, goes from one list to the other and back", async () => {
  const asked = async (request: Request) =>
    Response.json({ chats: new URL(request.url).searchParams.has("archived") ? [] : [chat("c", "Chat", 1)] });
  vi.stubGlobal("fetch", asked);
  const client = new QueryClient();
  await client.fetchQuery(archivedChats);
  render(page(client));
  expect(await screen.findByText("Chat")).toBeVisible();
  const archived = () => client.getQueryData(archivedChats.queryKey)?.map((found) => found.chat.id);
  act(() => feed.tell("chat", { ...chat("c", "Chat", 2), archived: true }));
  await vi.waitFor(() => expect(screen.queryByText("Chat")).toBeNull());
  expect(archived()).toEqual(["c"]);
  act(() => feed.tell("chat", { ...chat("c", "Chat", 3), archived: false }));
  expect(await screen.findByText("Chat")).toBeVisible();
  expect(archived()).toEqual([]);
});
