import { useQueryClient } from "@tanstack/react-query";
import { useToast } from "@/components/Toast";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { CHATS } from "../queries";
import { chatTexts } from "../texts";
import { importChats } from "./queries";

/** What can be read before it is gone; how many there are besides is said. */
const MOST_TOLD = 2;

/** Returns the function that gives files to the server to import, and says what came of it. */
export function useImport(): (files: readonly File[]) => Promise<void> {
  const texts = useTexts(chatTexts);
  const words = useServerWords();
  const client = useQueryClient();
  const toast = useToast();
  return async (files) => {
    let count = 0;
    const problems: string[] = [];
    for (const file of files) {
      try {
        const { chats, left_out } = await importChats(file);
        count += chats.length;
        problems.push(...left_out.map((why) => `${file.name}: ${words(why)}`));
      } catch (error) {
        problems.push(`${file.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (count > 0) toast({ text: texts.imported(count) });
    const more = problems.length - MOST_TOLD;
    problems.slice(0, MOST_TOLD).forEach((problem, at) => {
      const text = more > 0 && at === MOST_TOLD - 1 ? `${problem} ${texts.andMore(more)}` : problem;
      toast({ tone: "danger", text });
    });
    await client.invalidateQueries({ queryKey: CHATS });
  };
}
