import { useEffect, useState } from "react";
import { useTexts } from "@/i18n/texts";
import type { LiveText } from "../live/LiveText";
import type { Message } from "../model";
import { chatTexts } from "../texts";
import { useAsksForWord } from "../tools/useCalling";

/** How often screen readers are given what has come: each time what is whole sentences by then. */
const EVERY_MS = 4_000;

/** Reads the streamed text of an answer out, in sentences rather than in tokens, and says what becomes of the last
 * message. Thoughts are folded away for everybody, and calls that need no word run silently. It is there for screen
 * readers alone. */
export function Announcer({ live, last }: { live: LiveText | undefined; last: Message | undefined }) {
  const texts = useTexts(chatTexts);
  const asksForWord = useAsksForWord();
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (live === undefined) return;
    let told = live.known.length;
    const tell = (end: number) => {
      const more = live.text.slice(told, end).trim();
      told = Math.max(told, end);
      if (more !== "") setSaid(more);
    };
    const timer = setInterval(() => tell(endOfSentence(live.text)), EVERY_MS);
    return () => {
      clearInterval(timer);
      tell(live.text.length);
    };
  }, [live]);
  const asking = last?.turn.tool_calls?.find((call) => asksForWord(last, call));
  const thinks = last?.state === "waiting" || (last?.state === "streaming" && last.parts.at(-1)?.kind === "reasoning");
  const states: Record<string, string> = { stopped: texts.stopped, cut: texts.cut };
  const status = thinks ? texts.thinking : (states[last?.state ?? ""] ?? "");
  return (
    <>
      <div role="log" aria-live="polite" className="sr-only">
        {said}
      </div>
      <div role="status" className="sr-only">
        {asking === undefined ? status : texts.asksForWord(asking.name)}
      </div>
    </>
  );
}

/** Returns where the last whole sentence or line of `text` ends. */
function endOfSentence(text: string): number {
  const end = /[\s\S]*(?:[.!?:;]\s|\n)/.exec(text);
  return end === null ? 0 : end[0].length;
}
