import type { KeyboardEvent } from "react";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import type { Message } from "../model";
import { useMessageActions } from "./actions";
import { useEditing } from "./editing";
import { MessageEditor } from "./MessageEditor";
import { threadTexts } from "./texts";

/** An answer that the person puts right: what they make of it is another branch, which the chat goes on from. */
export function AnswerEditor({ message }: { message: Message }) {
  const texts = useTexts(threadTexts);
  const common = useTexts(commonTexts);
  const actions = useMessageActions();
  const { typed } = useEditing();
  return (
    <MessageEditor
      id={message.id}
      text={typed.get(message.id) ?? ""}
      hint={texts.rewriteHint}
      action={common.save}
      isToSend={isToSave}
      onSend={(text) => actions.rewrite(message, text)}
    />
  );
}

/** Answers have lines and paragraphs, which Enter makes. */
const isToSave = (event: KeyboardEvent): boolean => event.key === "Enter" && (event.ctrlKey || event.metaKey);
