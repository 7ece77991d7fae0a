import { useEffect } from "react";
import { useTexts } from "@/i18n/texts";
import type { ChatController } from "./controller";
import { chatTexts } from "./texts";

/** Says in the tab's title which chat it shows, with a mark as long as an answer is followed there. */
export function useTabTitle({ title, busy, error }: Pick<ChatController, "title" | "busy" | "error">): void {
  const texts = useTexts(chatTexts);
  const name = title === "" ? texts.untitled : title;
  // One that can't be followed any more may have ended long ago.
  const works = busy && error === null;
  useEffect(() => {
    document.title = `${works ? "● " : ""}${name} · mlxr`;
    // Not every page has a title of its own.
    return () => {
      document.title = "mlxr";
    };
  }, [name, works]);
}
