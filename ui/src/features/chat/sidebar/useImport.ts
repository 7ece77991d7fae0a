import { useQueryClient } from "@tanstack/react-query";
import { useToast } from "@/components/Toast";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { CHATS } from "../queries";
import { chatTexts } from "../texts";
import { importChats } from "./queries";

/** Returns the function that gives files to the server to import, and says what came of it. */
export function useImport(): (files: readonly File[]) => Promise<void> {
  const texts = useTexts(chatTexts);
  const words = useServerWords();
  const client = useQueryClient();
  const toast = useToast();
  return async (files) => {
    let count = 0;
    for (const file of files) {
      try {
        const { chats, left_out } = await importChats(file);
        count += chats.length;
        for (const why of left_out.slice(0, 3)) toast({ tone: "danger", text: `${file.name}: ${words(why)}` });
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        toast({ tone: "danger", text: `${file.name}: ${why}` });
      }
    }
    if (count > 0) toast({ text: texts.imported(count) });
    await client.invalidateQueries({ queryKey: CHATS });
  };
}
