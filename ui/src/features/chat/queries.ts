import { queryOptions } from "@tanstack/react-query";
import { getChat } from "./requests";

/** Everything about chats is below this key. */
export const CHATS = ["chats"] as const;

/** A chat with all of its messages. Events keep it as it is on the server. */
export const chatDetail = (id: string) =>
  queryOptions({
    queryKey: [...CHATS, "detail", id],
    queryFn: () => getChat(id),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 10 * 60_000,
  });
