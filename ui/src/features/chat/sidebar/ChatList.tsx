import { useQuery } from "@tanstack/react-query";
import { Archive, ArrowLeft, Download, Ellipsis, Search, Upload } from "lucide-react";
import { useDeferredValue, useMemo, useRef, useState } from "react";
import { useCommands } from "@/app/commands";
import { IconButton } from "@/components/Button";
import { ErrorNotice } from "@/components/ErrorNotice";
import { SearchField } from "@/components/Field";
import { Menu } from "@/components/Menu";
import { Skeleton } from "@/components/Skeleton";
import { useToast } from "@/components/Toast";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import { ChatRow } from "./ChatRow";
import { ChatsNotice } from "./ChatsNotice";
import { FolderHeading } from "./FolderHeading";
import { type ChatGroup, grouped } from "./groups";
import { archivedChats, chatsMatching, type Folder, folderList, saveAllChats, summaryOf } from "./queries";
import { sidebarTexts } from "./texts";
import { useChatRowActions } from "./useChatRowActions";
import { useFollowChats } from "./useFollowChats";
import { useImport } from "./useImport";
import { VirtualChats } from "./VirtualChats";

const NO_FOLDERS: readonly Folder[] = [];

/** The chats, in the sidebar: searched, in folders, by age. */
export default function ChatList() {
  const texts = useTexts(chatTexts);
  const labels = useTexts(sidebarTexts);
  const common = useTexts(commonTexts);
  const [search, setSearch] = useState("");
  const words = useDeferredValue(search.trim());
  const [archive, setArchive] = useState(false);
  const showsArchive = archive && words === "";
  const listed = useQuery(chatsMatching(words));
  const archived = useQuery({ ...archivedChats, enabled: showsArchive });
  const chats = showsArchive ? archived : listed;
  useFollowChats();
  const { actions, dialogs } = useChatRowActions();
  const file = useRef<HTMLInputElement>(null);
  const importFiles = useImport();
  const toast = useToast();
  const exportAll = () => void saveAllChats().catch((error: Error) => toast({ tone: "danger", text: error.message }));
  const openArchive = () => {
    setSearch("");
    setArchive(true);
  };
  useCommands([
    { id: "import-chats", label: texts.importChats, icon: <Upload />, run: () => file.current?.click() },
    { id: "export-chats", label: texts.exportChats, icon: <Download />, run: exportAll },
    { id: "archived-chats", label: labels.archived, icon: <Archive />, run: openArchive },
  ]);
  const folders = useQuery(folderList);
  const known = folders.data ?? NO_FOLDERS;
  const today = new Date().setHours(0, 0, 0, 0);
  const groups = useMemo(() => {
    const found = (chats.data ?? []).map((chat) => summaryOf(chat, known));
    return grouped(found, new Date(today), words === "" && !archive ? known : []);
  }, [chats.data, known, today, words, archive]);
  return (
    <section aria-label={texts.chats} className="flex h-full flex-col">
      <div className="flex items-center gap-1 px-2 py-1">
        <div className="relative flex-1">
          <Search aria-hidden className="absolute top-1/2 left-2 size-4 -translate-y-1/2 text-muted" />
          <SearchField label={texts.searchChats} value={search} onSearch={setSearch} className="pl-8!" />
        </div>
        <Menu
          trigger={
            <IconButton label={texts.chatsMenu}>
              <Ellipsis />
            </IconButton>
          }
          entries={[
            { label: texts.importChats, icon: <Upload />, onSelect: () => file.current?.click() },
            { label: texts.exportChats, icon: <Download />, onSelect: exportAll },
            { label: labels.archived, icon: <Archive />, onSelect: openArchive },
          ]}
        />
        <input
          ref={file}
          type="file"
          accept=".json,.md,application/json,text/markdown"
          multiple
          hidden
          onChange={(event) => {
            void importFiles([...(event.target.files ?? [])]);
            event.target.value = "";
          }}
        />
      </div>
      <ChatsNotice />
      {showsArchive && (
        <div className="flex items-center gap-1 px-2 py-1">
          <IconButton label={labels.back} size="small" onClick={() => setArchive(false)}>
            <ArrowLeft />
          </IconButton>
          <h2 className="text-sm font-medium">{labels.archived}</h2>
        </div>
      )}
      <VirtualChats
        key={showsArchive ? "archive" : `found ${words}`}
        groups={groups}
        labelOf={(group) => headingOf(group, texts)}
        heading={(group) =>
          group.heading.kind === "folder" ? (
            <FolderHeading id={group.heading.id} name={group.heading.name} />
          ) : (
            <h3 className="px-2 pt-3 pb-1 text-xs font-medium text-muted">{headingOf(group, texts)}</h3>
          )
        }
        row={(chat) => <ChatRow chat={chat} folders={known} actions={actions} />}
      >
        {chats.isPending && <Skeleton className="h-8" />}
        {chats.error !== null && <ErrorNotice error={chats.error} onRetry={() => void chats.refetch()} />}
        {chats.data?.length === 0 && (
          <p className="px-2 py-3 text-sm text-muted">
            {showsArchive ? labels.nothingArchived : words === "" ? texts.noChats : texts.nothingFound}
          </p>
        )}
      </VirtualChats>
      {dialogs}
      <span className="sr-only" role="status">
        {chats.isFetching && words !== "" ? common.loading : ""}
      </span>
    </section>
  );
}

function headingOf({ heading }: ChatGroup, texts: typeof chatTexts.en): string {
  if (heading.kind === "folder") return heading.name;
  return heading.kind === "pinned" ? texts.pinned : texts[heading.age];
}
