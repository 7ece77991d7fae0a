import { Pencil } from "lucide-react";
import { useState } from "react";
import { IconButton } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { useTexts } from "@/i18n/texts";
import { useCompare } from "../compare/useCompare";
import { useChatController } from "../controller";
import { isToSend } from "../keyboard";
import { type Message, textOf } from "../model";
import { PartView } from "../parts/registry";
import { chatTexts } from "../texts";
import { useAnswerRequests } from "../tools/useAnswerRequests";
import { useMessageActions } from "./actions";
import { BranchSwitch } from "./BranchSwitch";
import { useEditing } from "./editing";
import { MessageEditor } from "./MessageEditor";

/** Beyond this a message is folded until somebody wants to see all of it. */
const LONG = 2_000;

/** What the person said, with what can be done about it. */
export function UserRow({ message }: { message: Message }) {
  const texts = useTexts(chatTexts);
  const { typed, begin } = useEditing();
  const changed = typed.get(message.id);
  const [unfolded, setUnfolded] = useState(false);
  const text = textOf(message);
  const folded = text.length > LONG && !unfolded;
  if (changed !== undefined) return <QuestionEditor message={message} text={changed} />;
  return (
    <div className="group flex flex-col items-end pt-4 pb-1">
      <h2 className="sr-only">{texts.youSaid}</h2>
      <div className="flex max-w-[85%] flex-col items-end gap-2">
        {message.parts.map(
          (part, index) =>
            part.kind !== "text" && (
              // biome-ignore lint/suspicious/noArrayIndexKey: a message's parts stay in their places
              <PartView key={index} part={part} message={message} />
            ),
        )}
        {text !== "" && (
          <div className="rounded-lg bg-sunken px-4 py-2 text-lg wrap-anywhere whitespace-pre-wrap [unicode-bidi:plaintext] dark:bg-raised">
            {folded ? `${text.slice(0, LONG)}…` : text}
            {text.length > LONG && (
              <button
                type="button"
                className="mt-1 block text-base text-accent-ink underline"
                onClick={() => setUnfolded(folded)}
              >
                {folded ? texts.showAll : texts.showLess}
              </button>
            )}
          </div>
        )}
      </div>
      <div className="mt-1 flex items-center opacity-0 transition-opacity group-focus-within:opacity-100 group-hover:opacity-100 pointer-coarse:opacity-100">
        <BranchSwitch message={message} />
        <CopyButton text={text} label={texts.copyMessage} />
        <IconButton label={texts.edit} size="small" onClick={() => begin(message.id, text)}>
          <Pencil />
        </IconButton>
      </div>
    </div>
  );
}

function QuestionEditor({ message, text }: { message: Message; text: string }) {
  const texts = useTexts(chatTexts);
  const actions = useMessageActions();
  const chat = useChatController();
  const { second } = useCompare(chat);
  const requests = useAnswerRequests();
  return (
    <MessageEditor
      id={message.id}
      text={text}
      hint={texts.editHint}
      action={texts.send}
      isToSend={isToSend}
      onSend={(text) => actions.edit(message, text, requests(chat.model, second))}
    />
  );
}
