import { useQuery } from "@tanstack/react-query";
import { usePreferences } from "@/app/preferences";
import type { Language } from "../texts";
import type { Translate } from "./translate";

/** The server speaks English; a language's catalogue is loaded when it is first needed. */
export const serverWords: Record<Language, () => Promise<Translate>> = {
  en: async () => (sentence) => sentence,
  de: async () => (await import("./de")).translate,
};

/** Returns the function that puts the server's sentences into the reader's language, as far as they are known. */
export function useServerWords(): (sentence: string) => string {
  const { language } = usePreferences();
  const { data } = useQuery({
    queryKey: ["server words", language],
    queryFn: serverWords[language],
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (sentence) => data?.(sentence) ?? sentence;
}
