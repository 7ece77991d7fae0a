import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { ServerEvent } from "@/api/events";
import { followTogether } from "@/api/together";
import { CHATS } from "../queries";
import type { Chat } from "../wire";
import { type Found, takeNotice } from "./queries";

const LIST = [...CHATS, "list"] as const;

/** Keeps the list of chats as it is on the server, whoever changes it. */
export function useFollowChats(): void {
  const client = useQueryClient();
  useEffect(() => {
    const all = [...LIST, ""];
    const readAgain = () => void client.invalidateQueries({ queryKey: CHATS, predicate: isOfList });
    const isOfList = ({ queryKey }: { queryKey: readonly unknown[] }) => queryKey[1] !== "detail";
    const take = ({ name, data }: ServerEvent) => {
      if (name === "chat") client.setQueryData<Found[]>(all, (known) => known && withChat(known, JSON.parse(data)));
      else if (name === "removed") {
        const { id } = JSON.parse(data) as { id: string };
        client.setQueryData<Found[]>(all, (known) => known?.filter(({ chat }) => chat.id !== id));
      } else if (name === "notice") {
        takeNotice(client, (JSON.parse(data) as { notice: string | null }).notice);
      } else if (name === "reset") readAgain();
    };
    const unfollow = followTogether("/api/ui/chats/events", { onEvent: take, onMissed: readAgain });
    // What changed while nothing was followed comes from nobody, where another tab holds the connection.
    if (client.getQueryData(all) !== undefined) readAgain();
    return unfollow;
  }, [client]);
}

function withChat(known: readonly Found[], chat: Chat): Found[] {
  const rest = known.filter((found) => found.chat.id !== chat.id);
  return chat.deleted != null || chat.archived === true ? rest : [{ chat }, ...rest];
}
