import { Pencil } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Button, IconButton } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { useCompare } from "../compare/useCompare";
import { useChatController } from "../controller";
import { hasKeyboard, isToSend } from "../keyboard";
import { type Message, textOf } from "../model";
import { PartView } from "../parts/registry";
import { chatTexts } from "../texts";
import { useAnswerRequests } from "../tools/useAnswerRequests";
import { useMessageActions } from "./actions";
import { BranchSwitch } from "./BranchSwitch";
import { useEditing } from "./editing";

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
  if (changed !== undefined) return <Editor message={message} text={changed} />;
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
          <div className="rounded-lg bg-sunken px-4 py-2 text-lg wrap-anywhere whitespace-pre-wrap dark:bg-raised">
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

function Editor({ message, text }: { message: Message; text: string }) {
  const texts = useTexts(chatTexts);
  const common = useTexts(commonTexts);
  const actions = useMessageActions();
  const chat = useChatController();
  const { second } = useCompare(chat);
  const requests = useAnswerRequests();
  const { begun, keep, end, shown } = useEditing();
  const area = useRef<HTMLTextAreaElement>(null);
  const { id } = message;
  const isBegun = begun === id;
  // The thread scrolls to it. One that comes back into the page must not take the keys from what has them by then.
  // biome-ignore lint/correctness/useExhaustiveDependencies: as it is begun
  useEffect(() => {
    if (!isBegun) return;
    area.current?.focus({ preventScroll: true });
    area.current?.setSelectionRange(text.length, text.length);
    shown();
  }, [isBegun]);
  const done = () => end(id);
  const send = () => {
    if (text.trim() === "") return;
    void actions.edit(message, text, requests(chat.model, second)).then((taken) => taken || keep(id, text));
    done();
  };
  return (
    <div className="my-4 rounded-lg border border-line-strong bg-surface p-2 focus-within:border-accent">
      <textarea
        ref={area}
        aria-label={texts.edit}
        enterKeyHint={hasKeyboard() ? "send" : "enter"}
        value={text}
        onChange={(event) => keep(id, event.target.value)}
        onKeyDown={(event) => {
          // An input method has them for itself.
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Escape") {
            event.preventDefault();
            done();
          }
          if (isToSend(event)) {
            event.preventDefault();
            send();
          }
        }}
        className="field-sizing-content max-h-80 min-h-16 w-full resize-none bg-transparent px-2 py-1 text-lg outline-none"
      />
      <div className="flex flex-wrap items-center gap-2">
        <p className="flex-1 px-2 text-sm text-muted max-sm:basis-full">{texts.editHint}</p>
        <Button className="ml-auto" onClick={done}>
          {common.cancel}
        </Button>
        <Button look="primary" disabled={text.trim() === ""} onClick={send}>
          {texts.send}
        </Button>
      </div>
    </div>
  );
}
