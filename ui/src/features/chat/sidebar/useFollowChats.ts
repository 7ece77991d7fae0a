import { hashKey, type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { ServerEvent } from "@/api/events";
import { followShared } from "@/api/sharedFeed";
import { CHATS } from "../queries";
import type { Chat } from "../wire";
import { archivedChats, chatsMatching, type Found, folderList, takeNotice } from "./queries";

const { queryKey: ALL } = chatsMatching("");
const { queryKey: ARCHIVED } = archivedChats;
const RESET: ServerEvent = { name: "reset", data: "{}", id: undefined };

/** Keeps the list of chats as it is on the server, whoever changes it. */
export function useFollowChats(): void {
  const client = useQueryClient();
  useEffect(() => {
    // What is told while the list is read may have happened after the server made the list that comes then.
    let meanwhile: ServerEvent[] = [];
    const take = (event: ServerEvent) => {
      if (client.isFetching({ queryKey: ALL, exact: true }) > 0) meanwhile.push(event);
      apply(client, event);
    };
    const unwatch = client.getQueryCache().subscribe((change) => {
      if (change.type !== "updated" || change.query.queryHash !== hashKey(ALL)) return;
      const { action } = change;
      if (action.type === "fetch") meanwhile = [];
      if (action.type !== "success" || action.manual === true) return;
      for (const event of meanwhile.splice(0)) apply(client, event);
    });
    const unfollow = followShared("/api/ui/chats/events", { onEvent: take, onMissed: () => take(RESET) });
    // What changed while nothing was followed comes from nobody, where another tab holds the connection.
    if (client.getQueryData(ALL) !== undefined) readAgain(client);
    return () => {
      unfollow();
      unwatch();
    };
  }, [client]);
}

const readAgain = (client: QueryClient) =>
  void client.invalidateQueries({ queryKey: CHATS, predicate: ({ queryKey }) => queryKey[1] !== "detail" });

function apply(client: QueryClient, { name, data }: ServerEvent): void {
  switch (name) {
    case "chat":
      return takeChat(client, JSON.parse(data) as Chat);
    case "removed": {
      const { id } = JSON.parse(data) as { id: string };
      for (const list of [ALL, ARCHIVED])
        client.setQueryData(list, (known) => known?.filter(({ chat }) => chat.id !== id));
      return;
    }
    case "notice":
      return takeNotice(client, (JSON.parse(data) as { notice: string | null }).notice);
    case "reset":
      return readAgain(client);
  }
}

/** Shows `chat` in the lists as it is now. */
export function takeChat(client: QueryClient, chat: Chat): void {
  client.setQueryData(ALL, (known) => known && withChat(known, chat, chat.archived !== true));
  client.setQueryData(ARCHIVED, (known) => known && withChat(known, chat, chat.archived === true));
  const folders = client.getQueryData(folderList.queryKey);
  if (chat.folder != null && folders?.every(({ id }) => id !== chat.folder) === true)
    void client.invalidateQueries(folderList);
}

/** Returns a list in which `chat` is as it is now, where it `belongs` there. */
function withChat(known: readonly Found[], chat: Chat, belongs: boolean): Found[] {
  const before = known.find((found) => found.chat.id === chat.id)?.chat;
  if ((before?.version ?? 0) > (chat.version ?? 0)) return [...known];
  const rest = known.filter((found) => found.chat.id !== chat.id);
  return chat.deleted == null && belongs ? [{ chat }, ...rest] : rest;
}
