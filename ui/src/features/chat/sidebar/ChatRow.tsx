import { Link } from "@tanstack/react-router";
import {
  Archive,
  ArchiveRestore,
  Download,
  Ellipsis,
  FileJson,
  FolderInput,
  FolderMinus,
  Pencil,
  Pin,
  PinOff,
  Trash2,
} from "lucide-react";
import { memo, useState } from "react";
import { IconButton } from "@/components/Button";
import { FIELD } from "@/components/classes";
import { Menu, type MenuEntry } from "@/components/Menu";
import { NameField } from "@/components/NameField";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import type { ChatSummary } from "./groups";
import type { Folder } from "./queries";
import { sidebarTexts } from "./texts";

export interface ChatRowActions {
  rename: (chat: ChatSummary, title: string) => void;
  pin: (chat: ChatSummary, pinned: boolean) => void;
  /** Moves it into the folder of this id; null takes it out of its folder, undefined asks for a new folder's name. */
  move: (chat: ChatSummary, folder: string | null | undefined) => void;
  archive: (chat: ChatSummary, archived: boolean) => void;
  save: (chat: ChatSummary, format: "json" | "markdown") => void;
  remove: (chat: ChatSummary) => void;
}

/** A chat in the sidebar: the way to it, and what can be done with it. */
export const ChatRow = memo(function ChatRow({
  chat,
  folders,
  actions,
}: {
  chat: ChatSummary;
  folders: readonly Folder[];
  actions: ChatRowActions;
}) {
  const texts = useTexts(chatTexts);
  const labels = useTexts(sidebarTexts);
  const common = useTexts(commonTexts);
  const [renaming, setRenaming] = useState(false);
  if (renaming) {
    return (
      <NameField
        opened
        label={texts.titleOf}
        name={chat.title}
        onChange={(title) => actions.rename(chat, title)}
        onEnd={() => setRenaming(false)}
        className={`${FIELD} h-8 pointer-coarse:h-11`}
      />
    );
  }
  const others = folders.filter((folder) => folder.id !== chat.folder?.id);
  const entries: MenuEntry[] = [
    { label: texts.rename, icon: <Pencil />, onSelect: () => setRenaming(true) },
    chat.pinned
      ? { label: texts.unpin, icon: <PinOff />, onSelect: () => actions.pin(chat, false) }
      : { label: texts.pin, icon: <Pin />, onSelect: () => actions.pin(chat, true) },
    {
      label: texts.moveTo,
      icon: <FolderInput />,
      entries: [
        ...others.map(({ id, name }) => ({ label: name, onSelect: () => actions.move(chat, id) })),
        { label: texts.newFolder, onSelect: () => actions.move(chat, undefined) },
      ],
    },
    ...(chat.folder === null
      ? []
      : [{ label: texts.outOfFolder, icon: <FolderMinus />, onSelect: () => actions.move(chat, null) }]),
    chat.archived
      ? { label: labels.unarchive, icon: <ArchiveRestore />, onSelect: () => actions.archive(chat, false) }
      : { label: labels.archive, icon: <Archive />, onSelect: () => actions.archive(chat, true) },
    { label: texts.saveMarkdown, icon: <Download />, onSelect: () => actions.save(chat, "markdown") },
    { label: texts.saveJson, icon: <FileJson />, onSelect: () => actions.save(chat, "json") },
    "separator",
    { label: common.delete, icon: <Trash2 />, danger: true, onSelect: () => actions.remove(chat) },
  ];
  const title = chat.title === "" ? texts.untitled : chat.title;
  return (
    <div className="group/row relative flex items-center rounded-md hover:bg-hover has-[a[aria-current=page]]:bg-hover">
      <Link
        to="/ui/chats/$chatId"
        params={{ chatId: chat.id }}
        search={chat.message === undefined ? {} : { message: chat.message }}
        activeOptions={{ includeSearch: false }}
        title={title}
        className="flex min-h-8 min-w-0 flex-1 items-center gap-2 rounded-md pr-8 pl-2 -outline-offset-2 pointer-coarse:min-h-11 pointer-coarse:pr-12"
        activeProps={{ className: "font-medium" }}
      >
        <span className="min-w-0 flex-1">
          <span dir="auto" className="block truncate">
            {title}
          </span>
          {chat.snippet !== undefined && <Snippet pieces={chat.snippet} />}
        </span>
        {chat.busy && (
          <span role="img" aria-label={texts.busy} className="size-2 shrink-0 animate-pulse rounded-full bg-accent" />
        )}
      </Link>
      <div className="absolute right-0.5 opacity-0 group-hover/row:opacity-100 focus-within:opacity-100 has-data-[state=open]:opacity-100 pointer-coarse:opacity-100">
        <Menu
          entries={entries}
          trigger={
            <IconButton label={texts.chatMenu(title)} size="small">
              <Ellipsis />
            </IconButton>
          }
        />
      </div>
    </div>
  );
});

function Snippet({ pieces }: { pieces: NonNullable<ChatSummary["snippet"]> }) {
  return (
    <span className="mb-1 line-clamp-2 text-xs font-normal text-muted">
      {pieces.map(({ text, hit }, index) =>
        hit ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a snippet's pieces have no other name
          <mark key={index} className="bg-accent-soft text-accent-ink">
            {text}
          </mark>
        ) : (
          text
        ),
      )}
    </span>
  );
}
