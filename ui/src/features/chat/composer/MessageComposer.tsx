import { useQuery } from "@tanstack/react-query";
import { lazy, type RefObject, Suspense, useEffect, useRef } from "react";
import { useToast } from "@/components/Toast";
import { useTexts } from "@/i18n/texts";
import { AttachButton } from "../attachments/AttachButton";
import { attachmentLabels } from "../attachments/labels";
import { pastedFiles } from "../attachments/pastedFiles";
import type { Attachments } from "../attachments/useAttachments";
import { CompareButton } from "../compare/CompareButton";
import type { Compare } from "../compare/useCompare";
import type { ChatController } from "../controller";
import { hasKeyboard } from "../keyboard";
import { textOf } from "../model";
import { chatTexts } from "../texts";
import { useEditing } from "../thread/editing";
import { toolSettings } from "../tools/settings";
import { ToolsButton } from "../tools/ToolsButton";
import { useAnswerRequests } from "../tools/useAnswerRequests";
import { Composer, type ComposerHandle } from "./Composer";

const AttachmentChips = lazy(() => import("../attachments/AttachmentChips"));

interface MessageComposerProps {
  chat: ChatController;
  attachments: Attachments;
  compare: Compare;
  onTools: () => void;
  ref: RefObject<ComposerHandle | null> | null;
}

/** Where a message to the chat is written: its text, what is attached, which models answer, and with which tools. */
export function MessageComposer({ chat, attachments, compare, onTools, ref }: MessageComposerProps) {
  const texts = useTexts(chatTexts);
  const files = useTexts(attachmentLabels);
  const toast = useToast();
  const requests = useAnswerRequests();
  // Which tools are on is part of what is asked for.
  const { isPending: toolsPending } = useQuery(toolSettings);
  const send = async (text: string) => {
    const { contents, list } = attachments;
    try {
      const answers = requests(chat.model, compare.second);
      await chat.send([...contents, ...(text.trim() === "" ? [] : [{ type: "text" as const, text }])], answers);
      attachments.clear(list);
    } catch (error) {
      toast({ tone: "danger", text: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  };
  const paste = (event: React.ClipboardEvent) => {
    const files = pastedFiles(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    attachments.add(files);
  };
  const {
    typed: { size: edits },
    begin,
  } = useEditing();
  const before = useRef(0);
  // The keys go on here when a message is no longer changed.
  useEffect(() => {
    if (edits < before.current && hasKeyboard()) ref?.current?.focus();
    before.current = edits;
  }, [edits, ref]);
  const own = chat.messages.findLast(({ role }) => role === "user");
  const waits = attachments.busy ? files.wait : chat.modelPending || toolsPending ? "" : undefined;
  // What goes out after an answer does not after one that fails.
  const failed = chat.messages.filter(({ state }) => state === "failed").length;
  const blocked = chat.model === null && !chat.modelPending ? texts.chooseModelFirst : undefined;
  return (
    <Composer
      ref={ref}
      key={chat.id}
      chatId={chat.id ?? "new"}
      onSend={send}
      onStop={chat.busy ? chat.stop : undefined}
      onPaste={paste}
      onArrowUp={own && (() => begin(own.id, textOf(own)))}
      blocked={blocked}
      waits={waits}
      losses={attachments.losses + failed}
      goesOn={chat.messages.at(-1)?.state === "tools"}
      attachments={
        attachments.list.length > 0 && (
          <Suspense fallback={<div className="h-13" />}>
            <AttachmentChips attachments={attachments} onInsert={(text) => ref?.current?.append(text)} />
          </Suspense>
        )
      }
      sendsWithoutText={attachments.contents.length > 0}
      tools={
        <>
          <AttachButton onFiles={attachments.add} />
          <ToolsButton model={chat.model} onClick={onTools} />
          <CompareButton compare={compare} model={chat.model} />
        </>
      }
    />
  );
}
