import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { useToast } from "@/components/Toast";
import type { ChatController } from "./controller";
import { ChatFollower } from "./live/ChatFollower";
import { isOpen } from "./model";
import { chatDetail } from "./queries";
import { type ChatChange, eventsPath, patchChat, sendMessage, stopAnswer } from "./requests";
import { MessageTree } from "./tree";
import { useMessageActionsOf } from "./useMessageActionsOf";
import { MessageViews } from "./views";
import type { ChatDetail } from "./wire";

/** Returns the chat `id`, which follows what happens to it, here and in other tabs. */
export function useChat(id: string): ChatController {
  const client = useQueryClient();
  const toast = useToast();
  const query = useQuery(chatDetail(id));
  const follower = useMemo(() => {
    const { queryKey } = chatDetail(id);
    return new ChatFollower(eventsPath(id), {
      read: () => client.getQueryData(queryKey),
      write: (detail) => client.setQueryData(queryKey, detail),
      fetch: () => client.fetchQuery({ ...chatDetail(id), staleTime: 0 }),
      drop: () => void client.resetQueries({ queryKey }),
    });
  }, [client, id]);
  useEffect(() => follower.start(), [follower]);
  const version = useSyncExternalStore(follower.subscribe, follower.version);
  const connection = useSyncExternalStore(follower.subscribe, follower.connection);
  const detail = query.data;
  const tree = useMemo(() => new MessageTree(detail?.messages ?? []), [detail?.messages]);
  const views = useMemo(() => new MessageViews(follower), [follower]);
  const leaf = detail?.chat.leaf ?? null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` says that answers have other parts
  const messages = useMemo(() => views.branch(tree, leaf), [views, tree, leaf, version]);

  const refused = (error: Error) => toast({ tone: "danger", text: error.message });
  const change = (asked: ChatChange) => {
    const before = detail?.chat;
    if (before === undefined) return;
    // Shown at once, and taken back where the server refuses it.
    const shown = (chat: ChatDetail["chat"]) =>
      client.setQueryData(chatDetail(id).queryKey, (now) => now && { ...now, chat });
    shown({ ...before, ...asked });
    patchChat(id, asked).then(
      (chat) => follower.learn(chat, []),
      (error: Error) => {
        shown(before);
        refused(error);
      },
    );
  };
  const open = messages.filter(({ state }) => isOpen({ state }));
  const actions = useMessageActionsOf({ id, tree, follower, change, refused });
  return {
    id,
    chat: detail?.chat ?? null,
    error: query.error,
    loading: query.isPending,
    retry: () => void query.refetch(),
    title: detail?.chat.title ?? "",
    model: detail?.chat.model ?? null,
    system: detail?.chat.system ?? "",
    parameters: detail?.chat.parameters ?? {},
    messages,
    tree,
    busy: open.length > 0,
    connection,
    progress: follower.progress,
    send: async (content, answers) => {
      const sent = await sendMessage(id, { content, ...(answers === undefined ? {} : { answers }) });
      follower.learn(sent.chat, [...(sent.message ? [sent.message] : []), ...(sent.answers ?? [])]);
    },
    stop: () => {
      for (const message of open) stopAnswer(id, message.id).catch(refused);
    },
    change,
    actions,
  };
}
