import { createContext, type ReactNode, use, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { spoken } from "./spoken";

export interface Aloud {
  /** The message that is read out now. */
  reading: string | null;
  /** A voice of this machine can read. Browsers have others, to whose makers they would send the text. */
  canRead: boolean;
  read: (message: string, text: string) => void;
  stop: () => void;
}

const nothing = () => {};
const AloudContext = createContext<Aloud>({ reading: null, canRead: false, read: nothing, stop: nothing });

export const useAloud = (): Aloud => use(AloudContext);

/** Reads messages of `chat` out, one at a time, until another is shown. */
export function AloudProvider({ chat, children }: { chat: string | null; children: ReactNode }) {
  const [reading, setReading] = useState<string | null>(null);
  const canRead = useSyncExternalStore(followVoices, hasVoice);
  // biome-ignore lint/correctness/useExhaustiveDependencies: as the chat is another
  useEffect(
    () => () => {
      window.speechSynthesis?.cancel();
      // Not every browser says of a text that was waiting that it will not be read.
      setReading(null);
    },
    [chat],
  );
  const aloud = useMemo(
    (): Aloud => ({
      reading,
      canRead,
      read: (message, text) => {
        speechSynthesis.cancel();
        const said = spoken(text).map((paragraph) => new SpeechSynthesisUtterance(paragraph));
        const last = said.at(-1);
        if (last === undefined) return;
        const end = () => setReading((now) => (now === message ? null : now));
        last.addEventListener("end", end);
        for (const paragraph of said) {
          paragraph.voice = voice() ?? null;
          paragraph.addEventListener("error", end);
          speechSynthesis.speak(paragraph);
        }
        setReading(message);
      },
      stop: () => {
        speechSynthesis.cancel();
        setReading(null);
      },
    }),
    [reading, canRead],
  );
  return <AloudContext value={aloud}>{children}</AloudContext>;
}

const hasVoice = (): boolean => voice() !== undefined;

/** Browsers look for their voices once somebody asks for them, and tell when they have some. */
function followVoices(onChange: () => void): () => void {
  const speech = window.speechSynthesis;
  speech?.addEventListener?.("voiceschanged", onChange);
  return () => speech?.removeEventListener?.("voiceschanged", onChange);
}

/** Returns the voice of this machine that speaks the browser's language, or any. */
function voice(): SpeechSynthesisVoice | undefined {
  const local = (window.speechSynthesis?.getVoices() ?? []).filter(({ localService }) => localService);
  const language = navigator.language.slice(0, 2);
  return local.find((one) => one.default) ?? local.find(({ lang }) => lang.startsWith(language)) ?? local[0];
}
