import { BookMarked, Download, Ellipsis, FileJson, MessageSquareQuote } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useCommands } from "@/app/commands";
import { Badge } from "@/components/Badge";
import { IconButton } from "@/components/Button";
import { Menu, type MenuEntry } from "@/components/Menu";
import { NameField } from "@/components/NameField";
import { useToast } from "@/components/Toast";
import { useTexts } from "@/i18n/texts";
import { useChatController } from "../controller";
import { type ChatPanel, PANELS } from "../panels/registry";
import { ModelPicker } from "../picker/ModelPicker";
import { promptTexts } from "../prompts/texts";
import { type ExportFormat, saveChat } from "../sidebar/queries";
import { TemporaryToggle } from "../temporary/TemporaryToggle";
import { temporaryTexts } from "../temporary/texts";
import { chatTexts } from "../texts";
import { ContextMeter } from "./ContextMeter";
import { useContextUse } from "./useContextUse";

const PromptLibrary = lazy(() => import("../prompts/PromptLibrary"));
const SystemPromptDialog = lazy(() => import("./SystemPromptDialog"));

export interface ChatHeaderProps {
  panel: string | undefined;
  onPanel: (panel: string | undefined) => void;
}

/** Which model answers, what the chat is called, how full the context is, and the way to its options. */
export function ChatHeader({ panel, onPanel }: ChatHeaderProps) {
  const texts = useTexts(chatTexts);
  const temporary = useTexts(temporaryTexts);
  const labels = useTexts(promptTexts);
  const chat = useChatController();
  const context = useContextUse(chat);
  const [editsSystem, setEditsSystem] = useState(false);
  const [showsPrompts, setShowsPrompts] = useState(false);
  const openPrompts = () => setShowsPrompts(true);
  useCommands([{ id: "saved-prompts", label: labels.library, icon: <BookMarked />, run: openPrompts }]);
  const toast = useToast();
  const { id, title } = chat;
  const save = (format: ExportFormat) =>
    id !== null &&
    void saveChat({ id, title }, format).catch((error: Error) => toast({ tone: "danger", text: error.message }));
  const exports: MenuEntry[] = [
    { label: texts.saveMarkdown, icon: <Download />, onSelect: () => save("markdown") },
    { label: texts.saveJson, icon: <FileJson />, onSelect: () => save("json") },
  ];
  return (
    <header className="flex h-12 shrink-0 pointer-coarse:h-14 items-center gap-1 border-b border-line pr-2 pl-12 max-sm:gap-0 md:pr-3 md:pl-3 md:group-data-[sidebar=closed]/shell:pl-12">
      {chat.messages.length > 0 && <h1 className="sr-only">{chat.title === "" ? texts.untitled : chat.title}</h1>}
      <ModelPicker model={chat.model} onChange={(model) => chat.change({ model })} />
      <div className="flex min-w-0 flex-1 max-sm:invisible">
        {chat.id !== null && (
          <NameField
            key={chat.id}
            label={texts.titleOf}
            name={chat.title}
            placeholder={texts.untitled}
            onChange={(title) => chat.change({ title })}
            className="h-8 max-w-2xl min-w-0 flex-1 truncate rounded-md border border-transparent bg-transparent px-2 text-muted hover:border-line focus:border-line-strong focus:text-ink pointer-coarse:h-11 pointer-coarse:text-lg"
          />
        )}
      </div>
      {chat.id === null
        ? chat.model !== null && <TemporaryToggle />
        : chat.temporary && <Badge>{temporary.temporary}</Badge>}
      {context !== null && <ContextMeter {...context} />}
      {PANELS.map((known) => (
        <PanelButton
          key={known.id}
          panel={known}
          open={panel === known.id}
          onToggle={() => onPanel(panel === known.id ? undefined : known.id)}
        />
      ))}
      <Menu
        trigger={
          <IconButton label={texts.chatOptions}>
            <Ellipsis />
          </IconButton>
        }
        entries={[
          {
            label: texts.systemPrompt,
            icon: <MessageSquareQuote />,
            onSelect: () => setEditsSystem(true),
          },
          { label: labels.library, icon: <BookMarked />, onSelect: openPrompts },
          ...(id === null ? [] : exports),
        ]}
      />
      <Suspense>
        {showsPrompts && <PromptLibrary onClose={() => setShowsPrompts(false)} />}
        {editsSystem && (
          <SystemPromptDialog
            system={chat.system}
            onSave={(system) => chat.change({ system })}
            onClose={() => setEditsSystem(false)}
          />
        )}
      </Suspense>
    </header>
  );
}

function PanelButton({
  panel: { icon: Icon, useLabel },
  open,
  onToggle,
}: {
  panel: ChatPanel;
  open: boolean;
  onToggle: () => void;
}) {
  const label = useLabel();
  return (
    <IconButton label={label} aria-expanded={open} onClick={onToggle} className={open ? "bg-hover!" : ""}>
      <Icon />
    </IconButton>
  );
}
