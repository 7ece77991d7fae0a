import { useCallback, useEffect, useRef, useState } from "react";

const key = (chat: string) => `mlxr.draft.${chat}`;

/** The text that somebody has begun to write in a chat. It is kept in this browser until it is sent. */
export function useDraft(chat: string): [string, (text: string) => void] {
  const [draft, setDraft] = useState(() => ({ chat, text: localStorage.getItem(key(chat)) ?? "" }));
  const unsaved = useRef<(() => void) | undefined>(undefined);
  // Another chat has another draft, shown at once.
  const text = draft.chat === chat ? draft.text : (localStorage.getItem(key(chat)) ?? "");
  useEffect(() => {
    const save = () => unsaved.current?.();
    window.addEventListener("pagehide", save);
    return () => {
      window.removeEventListener("pagehide", save);
      save();
    };
  }, []);
  const change = useCallback(
    (next: string) => {
      setDraft({ chat, text: next });
      unsaved.current?.();
      const timer = setTimeout(() => unsaved.current?.(), 300);
      unsaved.current = () => {
        clearTimeout(timer);
        unsaved.current = undefined;
        if (next === "") localStorage.removeItem(key(chat));
        else keep(key(chat), next);
      };
      if (next === "") unsaved.current();
    },
    [chat],
  );
  return [text, change];
}

function keep(name: string, text: string): void {
  try {
    localStorage.setItem(name, text);
  } catch {
    // The browser's room is used up: the draft lives as long as the page.
  }
}
