import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { ConfirmDialog } from "@/components/Dialog";
import { useToast } from "@/components/Toast";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { type ChatChange, deleteChat, patchChat } from "../requests";
import { chatTexts } from "../texts";
import type { Chat } from "../wire";
import type { ChatRowActions } from "./ChatRow";
import { FolderDialog } from "./FolderDialog";
import type { ChatSummary } from "./groups";
import { createFolder, readRest, restoreChat, saveChat } from "./queries";
import { sidebarTexts } from "./texts";
import { takeChat } from "./useFollowChats";

/** Returns what can be done with a chat in the sidebar, and the dialogs that some of it opens. */
export function useChatRowActions(): { actions: ChatRowActions; dialogs: ReactNode } {
  const texts = useTexts(chatTexts);
  const labels = useTexts(sidebarTexts);
  const common = useTexts(commonTexts);
  const client = useQueryClient();
  const toast = useToast();
  const navigate = useNavigate();
  const { chatId } = useParams({ strict: false });
  const [asked, setAsked] = useState<{ what: "remove" | "folder"; chat: ChatSummary } | null>(null);
  const told = {
    onError: (error: Error) => toast({ tone: "danger", text: error.message }),
    onSettled: () => readRest(client),
  };
  const take = (chat: Chat) => takeChat(client, chat);
  const change = useMutation({
    mutationFn: ({ id, ...asked }: { id: string } & ChatChange) => patchChat(id, asked),
    ...told,
    onSuccess: take,
  });
  const moveToNew = useMutation({
    mutationFn: async ({ id, name }: { id: string; name: string }) =>
      patchChat(id, { folder: (await createFolder(name)).id }),
    ...told,
    onSuccess: take,
  });
  const remove = useMutation({
    mutationFn: ({ id }: ChatSummary) => deleteChat(id),
    ...told,
    onSuccess: ({ undo_until }, { id, title }) => {
      setAsked(null);
      if (id === chatId) void navigate({ to: "/" });
      if (undo_until == null) return;
      const undo = () => restoreChat(id).then(take, told.onError);
      toast({ text: texts.chatDeleted(title), action: { label: texts.undo, onSelect: () => void undo() } });
    },
  });
  const titleOf = ({ title }: ChatSummary) => (title === "" ? texts.untitled : title);
  const undoOf = ({ id }: ChatSummary) => ({
    label: texts.undo,
    onSelect: () => change.mutate({ id, archived: false }),
  });
  const actions: ChatRowActions = {
    rename: ({ id }, title) => change.mutate({ id, title }),
    pin: ({ id }, pinned) => change.mutate({ id, pinned }),
    move: (chat, folder) =>
      folder === undefined ? setAsked({ what: "folder", chat }) : change.mutate({ id: chat.id, folder }),
    archive: (chat, archived) =>
      change.mutate(
        { id: chat.id, archived },
        { onSuccess: () => archived && toast({ text: labels.chatArchived(titleOf(chat)), action: undoOf(chat) }) },
      ),
    save: (chat, format) =>
      void saveChat(chat, format).catch((error: Error) => toast({ tone: "danger", text: error.message })),
    remove: (chat) => setAsked({ what: "remove", chat }),
  };
  const close = () => setAsked(null);
  const dialogs = asked !== null && (
    <>
      <ConfirmDialog
        open={asked.what === "remove"}
        onClose={close}
        onConfirm={() => remove.mutate(asked.chat)}
        busy={remove.isPending}
        title={texts.deleteChat}
        description={texts.deleteChatText(titleOf(asked.chat))}
        action={common.delete}
      />
      {asked.what === "folder" && (
        <FolderDialog
          onClose={close}
          onName={(name) => {
            moveToNew.mutate({ id: asked.chat.id, name });
            close();
          }}
        />
      )}
    </>
  );
  return { actions, dialogs };
}
