import { useState } from "react";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";

/** The chat's title, which is edited where it stands. */
export function ChatTitle({ title, onChange }: { title: string; onChange: (title: string) => void }) {
  const texts = useTexts(chatTexts);
  const [typed, setTyped] = useState<string | null>(null);
  const done = () => {
    if (typed !== null && typed.trim() !== "" && typed !== title) onChange(typed.trim());
    setTyped(null);
  };
  return (
    <input
      aria-label={texts.titleOf}
      value={typed ?? title}
      placeholder={texts.untitled}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={done}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key !== "Escape") return;
        event.preventDefault();
        setTyped(null);
      }}
      className="h-8 max-w-2xl min-w-0 flex-1 truncate rounded-md border border-transparent bg-transparent px-2 text-muted hover:border-line focus:border-line-strong focus:text-ink pointer-coarse:h-11"
    />
  );
}
