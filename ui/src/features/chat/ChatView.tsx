import { Link } from "@tanstack/react-router";
import { Copy, MessageSquare, RefreshCw, SearchX, Square } from "lucide-react";
import { lazy, type ReactNode, Suspense, useRef } from "react";
import { ApiError } from "@/api/errors";
import { useCommands } from "@/app/commands";
import { copyText } from "@/components/CopyButton";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Skeleton } from "@/components/Skeleton";
import { useToast } from "@/components/Toast";
import { useTexts } from "@/i18n/texts";
import { DropZone } from "./attachments/DropZone";
import { useAttachments } from "./attachments/useAttachments";
import { useCompare } from "./compare/useCompare";
import type { ComposerHandle } from "./composer/Composer";
import { MessageComposer } from "./composer/MessageComposer";
import { ChatContext, type ChatController } from "./controller";
import { EmptyChat } from "./EmptyChat";
import { ChatHeader } from "./header/ChatHeader";
import { ProgressContext } from "./live/progress";
import { textOf } from "./model";
import { PanelSlot } from "./panels/PanelSlot";
import { TemporaryNotice } from "./temporary/TemporaryNotice";
import { chatTexts } from "./texts";
import { MessageActionsContext } from "./thread/actions";
import { useEditing } from "./thread/editing";
import { useToolLoop } from "./tools/useCalling";

const CompareView = lazy(() => import("./compare/CompareView"));
const UnseenEdits = lazy(() => import("./thread/UnseenEdits"));

export interface ChatViewProps {
  chat: ChatController;
  panel: string | undefined;
  onPanel: (panel: string | undefined) => void;
  /** Shows the messages, where there are some: a new chat has none and loads nothing for them. */
  children?: ReactNode;
}

/** A whole chat: header, messages, composer, and the panel that is open. */
export function ChatView({ chat, panel, onPanel, children }: ChatViewProps) {
  const texts = useTexts(chatTexts);
  const toast = useToast();
  const composer = useRef<ComposerHandle>(null);
  const answer = chat.messages.findLast(({ role }) => role === "assistant");
  useCommands([
    {
      id: "focus-composer",
      label: texts.focusComposer,
      keys: "shift+escape",
      icon: <MessageSquare />,
      run: () => composer.current?.focus(),
    },
    ...(chat.busy ? [{ id: "stop", label: texts.stop, keys: "escape", icon: <Square />, run: chat.stop }] : []),
    ...(answer === undefined || chat.busy
      ? []
      : [
          {
            id: "regenerate",
            label: texts.regenerate,
            keys: "mod+shift+e",
            icon: <RefreshCw />,
            run: () => chat.actions.regenerate(answer),
          },
          {
            id: "copy-answer",
            label: texts.copyAnswer,
            keys: "mod+shift+c",
            icon: <Copy />,
            run: () => void copyText(textOf(answer)).then(() => toast({ text: texts.answerCopied })),
          },
        ]),
  ]);
  const attachments = useAttachments(chat.id, chat.model);
  const compare = useCompare(chat);
  const { shown } = compare;
  useToolLoop(chat.id, [...chat.messages, ...(shown?.answers ?? []).flatMap(({ id }) => chat.branchThrough(id))]);
  const { typed } = useEditing();
  const hasUnseen = [...typed.keys()].some((id) => !chat.messages.some((message) => message.id === id));
  const empty = chat.messages.length === 0;
  const isGone = chat.error instanceof ApiError && chat.error.status === 404;
  return (
    <ChatContext value={chat}>
      <MessageActionsContext value={chat.actions}>
        <ProgressContext value={chat.progress}>
          <div className="flex h-full min-h-0">
            <DropZone onFiles={attachments.add}>
              <ChatHeader panel={panel} onPanel={onPanel} />
              {isGone ? (
                <div className="flex-1">
                  <EmptyState
                    icon={<SearchX />}
                    title={texts.noSuchChat}
                    action={
                      <Link to="/" className="text-accent-ink underline underline-offset-2">
                        {texts.untitled}
                      </Link>
                    }
                  >
                    {texts.noSuchChatText}
                  </EmptyState>
                </div>
              ) : chat.error !== null ? (
                <div className="mx-auto w-full max-w-3xl flex-1 p-4">
                  <ErrorNotice error={chat.error} onRetry={chat.retry} />
                </div>
              ) : chat.loading ? (
                <LoadingThread />
              ) : empty ? (
                <div className="flex min-h-0 flex-1 flex-col justify-center overflow-y-auto py-6">
                  <EmptyChat onPick={(text) => composer.current?.fill(text)} />
                </div>
              ) : shown !== null ? (
                <Suspense fallback={<LoadingThread />}>
                  <CompareView chat={chat} comparison={shown} onChoose={compare.choose} onKeep={compare.keepBeside} />
                </Suspense>
              ) : (
                children
              )}
              <div className="px-4 pb-[calc(12px+env(safe-area-inset-bottom))]" hidden={isGone}>
                <div className="mx-auto max-w-3xl">
                  {chat.connection === "waiting" && (
                    <p role="status" className="pb-1 text-center text-sm text-warning">
                      {texts.reconnecting}
                    </p>
                  )}
                  {chat.temporary && <TemporaryNotice />}
                  {(chat.goElsewhere !== null || (hasUnseen && !chat.loading)) && (
                    <Suspense>
                      <UnseenEdits onKeep={(text) => composer.current?.append(text)} />
                    </Suspense>
                  )}
                  <MessageComposer
                    ref={composer}
                    chat={chat}
                    attachments={attachments}
                    compare={compare}
                    onTools={() => onPanel(panel === "tools" ? undefined : "tools")}
                  />
                </div>
              </div>
            </DropZone>
            <PanelSlot id={panel} onClose={() => onPanel(undefined)} />
          </div>
        </ProgressContext>
      </MessageActionsContext>
    </ChatContext>
  );
}

function LoadingThread() {
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-1 flex-col gap-4 p-4">
      <Skeleton className="ml-auto h-12 w-1/2" />
      <Skeleton className="h-40" />
    </div>
  );
}
