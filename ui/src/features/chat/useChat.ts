import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useToast } from "@/components/Toast";
import type { ChatController } from "./controller";
import { ChatFollower } from "./live/ChatFollower";
import { isOpen } from "./model";
import { PendingChanges } from "./PendingChanges";
import { chatDetail } from "./queries";
import { type ChatChange, eventsPath, patchChat, sendMessage, stopAnswers } from "./requests";
import { useEditing } from "./thread/editing";
import { MessageTree } from "./tree";
import { useMessageActionsOf } from "./useMessageActionsOf";
import { useShownLeaf } from "./useShownLeaf";
import { MessageViews } from "./views";
import type { Answers, ChatDetail } from "./wire";

/** Returns the chat `id`, which follows what happens to it, here and in other tabs. */
export function useChat(id: string): ChatController {
  const client = useQueryClient();
  const toast = useToast();
  const navigate = useNavigate();
  const { data: detail } = useQuery(chatDetail(id));
  const follower = useMemo(() => {
    const { queryKey } = chatDetail(id);
    return new ChatFollower(eventsPath(id), {
      read: () => client.getQueryData(queryKey),
      write: (detail) => client.setQueryData(queryKey, detail),
      drop: () => {
        client.removeQueries({ queryKey });
        void navigate({ to: "/" });
      },
    });
  }, [client, navigate, id]);
  useEffect(() => follower.start(), [follower]);
  const version = useSyncExternalStore(follower.subscribe, follower.version);
  const { state: connection, error } = useSyncExternalStore(follower.subscribe, follower.connection);
  const [sent, setSent] = useState(0);
  const tree = useMemo(() => new MessageTree(detail?.messages ?? []), [detail?.messages]);
  const views = useMemo(() => new MessageViews(follower), [follower]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each chat has its own
  const pending = useMemo(() => new PendingChanges(), [id]);
  const { typed } = useEditing();
  const { leaf, isHeld, go } = useShownLeaf(tree, detail?.chat.leaf ?? null, typed);
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
    if (typeof asked.leaf === "string") go(asked.leaf);
    const taken = patchChat(id, asked);
    pending.add(taken);
    taken.then(
      (chat) => follower.learn({ chat }),
      (error: Error) => {
        shown(before);
        refused(error);
      },
    );
  };
  // What was asked for here is shown, whatever was shown before.
  const learn = (answers: Answers) => {
    follower.learn(answers);
    if (answers.chat.id === id) go(answers.chat.leaf ?? null);
  };
  const actions = useMessageActionsOf({ id, tree, learn, change, pending, refused });
  return {
    id,
    chat: detail?.chat ?? null,
    error,
    loading: detail === undefined && error === null,
    retry: () => follower.open(),
    title: detail?.chat.title ?? "",
    model: detail?.chat.model ?? null,
    modelPending: detail === undefined && error === null,
    system: detail?.chat.system ?? "",
    parameters: detail?.chat.parameters ?? {},
    temporary: detail?.chat.temporary === true,
    messages,
    branchThrough: (through) => views.branch(tree, tree.leafThrough(through)),
    tree,
    busy: messages.some(isOpen),
    connection,
    progress: follower.progress,
    send: async (content, answers) => {
      await pending.settle();
      const behind = messages.at(-1)?.id;
      const parent = isHeld && behind !== undefined ? { parent: behind } : {};
      learn(await sendMessage(id, { content, ...parent, ...(answers === undefined ? {} : { answers }) }));
      setSent((count) => count + 1);
    },
    sent,
    stop: () => {
      stopAnswers(id).catch(refused);
    },
    change,
    pending,
    goElsewhere: isHeld ? () => go(detail?.chat.leaf ?? null) : null,
    actions,
  };
}
