import { queryOptions, skipToken } from "@tanstack/react-query";
import type { ChatDetail } from "./wire";

/** Everything about chats is below this key. */
export const CHATS = ["chats"] as const;

/** A chat with all of its messages. Nobody asks for it: whoever shows it follows its events, which begin with that. */
export const chatDetail = (id: string) =>
  queryOptions<ChatDetail>({
    queryKey: [...CHATS, "detail", id],
    queryFn: skipToken,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 10 * 60_000,
  });
