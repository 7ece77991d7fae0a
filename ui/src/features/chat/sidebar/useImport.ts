import { useQueryClient } from "@tanstack/react-query";
import { useToast } from "@/components/Toast";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import { CHATS, importChats } from "./queries";

/** Returns the function that gives files to the server to import, and says what came of it. */
export function useImport(): (files: readonly File[]) => Promise<void> {
  const texts = useTexts(chatTexts);
  const client = useQueryClient();
  const toast = useToast();
  return async (files) => {
    let count = 0;
    for (const file of files) {
      try {
        count += await importChats(file);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        toast({ tone: "danger", text: `${file.name}: ${why}` });
      }
    }
    if (count > 0) toast({ text: texts.imported(count) });
    await client.invalidateQueries({ queryKey: CHATS });
  };
}
