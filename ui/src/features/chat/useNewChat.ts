import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { installedModels, loadedModels } from "@/api/models";
import type { ChatController } from "./controller";
import { ProgressBoard } from "./live/progress";
import { PendingChanges } from "./PendingChanges";
import { chatDetail } from "./queries";
import { type ChatChange, createChat, deleteChat, sendMessage } from "./requests";
import { type ChatSearch, withSearch } from "./search";
import type { MessageActions } from "./thread/actions";
import { MessageTree } from "./tree";

const LAST_MODEL = "mlxr.model";

const nothing = () => {};
const kept = (search: ChatSearch) => withSearch(search, { temporary: undefined });
const NONE: ChatController["messages"] = [];
const actions: MessageActions = {
  regenerate: nothing,
  goOn: nothing,
  edit: async () => false,
  rewrite: async () => false,
  showBranch: nothing,
  remove: nothing,
};

/** Returns a chat that is made on the server with its first message. Its model is the one that was last chosen here. */
export function useNewChat(): ChatController {
  const client = useQueryClient();
  const navigate = useNavigate();
  const installed = useQuery(installedModels);
  const loaded = useQuery(loadedModels);
  const isTemporary = useSearch({ strict: false }).temporary === "yes";
  const [chosen, setChosen] = useState<ChatChange>({});
  // As it is by now, where it is sent before it is shown.
  const latest = useRef(chosen);
  const [tree] = useState(() => new MessageTree([]));
  const [progress] = useState(() => new ProgressBoard());
  const [pending] = useState(() => new PendingChanges());
  const canChat = (installed.data ?? []).filter(({ capabilities }) => capabilities.includes("completion"));
  const wanted = [chosen.model, localStorage.getItem(LAST_MODEL), ...(loaded.data ?? []).map(({ name }) => name)];
  const model = wanted.find((name) => canChat.some((known) => known.name === name)) ?? canChat[0]?.name ?? null;
  const made = ({ system, parameters }: ChatChange) => ({ system: system ?? "", parameters: parameters ?? {} });
  return {
    id: null,
    chat: null,
    error: installed.error,
    loading: false,
    retry: () => void installed.refetch(),
    title: "",
    model,
    modelPending: installed.isPending || loaded.isPending,
    ...made(chosen),
    temporary: isTemporary,
    messages: NONE,
    branchThrough: () => NONE,
    tree,
    busy: false,
    connection: "open",
    progress,
    send: async (content, answers) => {
      await pending.settle();
      const chat = await createChat({ model, ...made(latest.current), temporary: isTemporary });
      const message = { content, ...(answers === undefined ? {} : { answers }) };
      const sent = await sendMessage(chat.id, message).catch(async (refused: unknown) => {
        // Nothing is in it: the next attempt makes another.
        await deleteChat(chat.id).catch(nothing);
        throw refused;
      });
      client.setQueryData(chatDetail(chat.id).queryKey, {
        chat: sent.chat,
        messages: [...(sent.message ? [sent.message] : []), ...(sent.answers ?? [])],
      });
      await navigate({ to: "/ui/chats/$chatId", params: { chatId: chat.id }, search: kept });
    },
    sent: 0,
    stop: nothing,
    change: (asked) => {
      if (typeof asked.model === "string") localStorage.setItem(LAST_MODEL, asked.model);
      if (asked.temporary === false) void navigate({ to: ".", search: kept, replace: true });
      latest.current = { ...latest.current, ...asked };
      setChosen(latest.current);
    },
    pending,
    goElsewhere: null,
    actions,
  };
}
