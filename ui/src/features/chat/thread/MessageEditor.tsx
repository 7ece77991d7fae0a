import { type KeyboardEvent, useEffect, useRef } from "react";
import { Button } from "@/components/Button";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { hasKeyboard } from "../keyboard";
import { chatTexts } from "../texts";
import { useEditing } from "./editing";

interface MessageEditorProps {
  /** The message's. */
  id: string;
  /** How it reads by now. */
  text: string;
  hint: string;
  /** What the button says that ends it. */
  action: string;
  /** Tells whether a key that is pressed does what the button does. */
  isToSend: (event: KeyboardEvent) => boolean;
  /** Tells whether the server took it; it is being changed again where it did not. */
  onSend: (text: string) => Promise<boolean>;
}

/** A message that is being changed, in its place. */
export function MessageEditor({ id, text, hint, action, isToSend, onSend }: MessageEditorProps) {
  const texts = useTexts(chatTexts);
  const common = useTexts(commonTexts);
  const { begun, keep, end, shown } = useEditing();
  const area = useRef<HTMLTextAreaElement>(null);
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
    void onSend(text).then((taken) => taken || keep(id, text));
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
        <p className="flex-1 px-2 text-sm text-muted max-sm:basis-full">{hint}</p>
        <Button className="ml-auto" onClick={done}>
          {common.cancel}
        </Button>
        <Button look="primary" disabled={text.trim() === ""} onClick={send}>
          {action}
        </Button>
      </div>
    </div>
  );
}
