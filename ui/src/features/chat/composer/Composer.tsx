import { ArrowUp, Square } from "lucide-react";
import { type ReactNode, type Ref, useEffect, useImperativeHandle, useRef, useState } from "react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { hasKeyboard, isToSend } from "../keyboard";
import { usePromptMenu } from "../prompts/usePromptMenu";
import { chatTexts } from "../texts";
import { useDraft } from "./useDraft";

export interface ComposerHandle {
  focus: () => void;
  /** Puts `text` in as if it were typed. */
  fill: (text: string) => void;
  /** Puts `text` behind what is written. */
  append: (text: string) => void;
}

export interface ComposerProps {
  /** Whose draft it keeps. */
  chatId: string;
  /** Sends `text`; what it throws leaves the text where it is. */
  onSend: (text: string) => Promise<void>;
  /** Aborts the answer; undefined where none streams. What is sent meanwhile goes out after it. */
  onStop?: (() => void) | undefined;
  /** The answer that was waited for goes on by itself, with what its tools say. */
  goesOn?: boolean;
  /** Why nothing can be sent now. */
  blocked?: string | undefined;
  /** What has to come first and comes by itself: what was to be sent goes out then. */
  waits?: string | undefined;
  /** Grows when something that was to go with the message will not: what waits to be sent is left to its writer. */
  losses?: number;
  /** Shown above the text: what is attached. */
  attachments?: ReactNode;
  /** Buttons below the text: to attach, to choose tools. */
  tools?: ReactNode;
  /** Something that can be sent without a text is attached. */
  sendsWithoutText?: boolean;
  onPaste?: (event: React.ClipboardEvent) => void;
  /** The arrow up was pressed where nothing is written yet. */
  onArrowUp?: (() => void) | undefined;
  ref?: Ref<ComposerHandle>;
}

/** Where a message is written. */
export function Composer(props: ComposerProps) {
  const { chatId, onSend, onStop, blocked, waits, losses = 0, attachments, tools, onPaste, onArrowUp, ref } = props;
  const { sendsWithoutText = false, goesOn = false } = props;
  const texts = useTexts(chatTexts);
  const [text, setText] = useDraft(chatId);
  const area = useRef<HTMLTextAreaElement>(null);
  useImperativeHandle(ref, () => {
    const fill = (filled: string) => {
      setText(filled);
      area.current?.focus();
    };
    const append = (more: string) => fill(text === "" ? more : `${text}\n\n${more}`);
    return { focus: () => area.current?.focus(), fill, append };
  });
  // How much was lost when it was to be sent; null where nothing waits to be.
  const [due, setDue] = useState<number | null>(null);
  const [sending, setSending] = useState(false);
  const answering = onStop !== undefined;
  const held = waits !== undefined || sending || answering;
  const ready = (text.trim() !== "" || sendsWithoutText) && blocked === undefined;
  const send = () => {
    if (!ready) return;
    setDue(held ? losses : null);
    if (held) return;
    setText("");
    setSending(true);
    onSend(text)
      .catch(() => {
        // Before what was written meanwhile.
        setText([text, area.current?.value ?? ""].filter((each) => each !== "").join("\n"));
        setDue(null);
      })
      .finally(() => setSending(false));
  };
  const prompts = usePromptMenu(text, (picked) => {
    setText(picked);
    setDue(null);
    area.current?.focus();
  });
  // A button that is pressed goes away, or can't be pressed again: the keys go on where one writes.
  const refocus = () => {
    if (hasKeyboard()) area.current?.focus();
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: once nothing is waited for, whatever else changes
  useEffect(() => {
    if (due === null || held || (goesOn && due === losses)) return;
    setDue(null);
    if (due === losses) send();
  }, [due, held, goesOn, losses]);
  return (
    <>
      {prompts.dialogs}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send();
          refocus();
        }}
        className="rounded-lg border border-line-strong/60 bg-surface p-2 focus-within:border-accent dark:bg-raised"
      >
        {prompts.menu}
        {attachments}
        <textarea
          ref={area}
          autoFocus={hasKeyboard()}
          aria-label={texts.message}
          placeholder={texts.placeholder}
          rows={1}
          dir="auto"
          value={text}
          enterKeyHint={hasKeyboard() ? "send" : "enter"}
          {...(onPaste === undefined ? {} : { onPaste })}
          {...prompts.aria}
          onChange={(event) => {
            setText(event.target.value);
            setDue(null);
          }}
          onKeyDown={(event) => {
            if (prompts.onKeyDown(event)) return;
            if (isToSend(event)) {
              event.preventDefault();
              send();
            }
            if (event.key === "ArrowUp" && text === "" && isPlain(event) && onArrowUp !== undefined) {
              event.preventDefault();
              onArrowUp();
            }
          }}
          className="block field-sizing-content max-h-60 min-h-9 w-full resize-none bg-transparent px-2 py-1.5 text-lg outline-none"
        />
        <div className="flex min-h-8 flex-wrap items-center gap-1">
          {tools}
          <p
            role="status"
            className="line-clamp-2 flex-1 px-2 text-sm text-muted max-sm:order-first max-sm:basis-full max-sm:empty:hidden"
          >
            {blocked ?? waits ?? (due !== null && (answering || goesOn) ? texts.sentAfterwards : undefined)}
          </p>
          <span className="ml-auto flex gap-1">
            {onStop !== undefined && (
              <IconButton
                label={texts.stop}
                keys="escape"
                look="secondary"
                onClick={() => {
                  onStop();
                  refocus();
                }}
              >
                <Square className="fill-current" />
              </IconButton>
            )}
            {(!answering || ready) && (
              <IconButton
                label={texts.send}
                keys="enter"
                look="primary"
                type="submit"
                disabled={!ready || (due !== null && held)}
              >
                <ArrowUp />
              </IconButton>
            )}
          </span>
        </div>
      </form>
    </>
  );
}

/** Tells whether a key is pressed alone, and not to choose among an input method's words. */
const isPlain = ({ altKey, ctrlKey, metaKey, shiftKey, nativeEvent }: React.KeyboardEvent): boolean =>
  !altKey && !ctrlKey && !metaKey && !shiftKey && !nativeEvent.isComposing;
