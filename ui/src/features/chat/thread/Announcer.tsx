import { useEffect, useRef, useState } from "react";
import { useTexts } from "@/i18n/texts";
import type { LiveText } from "../live/LiveText";
import { isOpen, type Message, textOf } from "../model";
import { chatTexts } from "../texts";
import { useAsksForWord } from "../tools/useCalling";

/** How often screen readers are given what has come: each time what is whole sentences by then. */
const EVERY_MS = 4_000;

/** How much of an answer was read out. `live`: where its text comes from, which is another after a reconnect. */
interface Told {
  id: string;
  at: number;
  live: LiveText | undefined;
}

/** Reads the streamed text of an answer out, in sentences rather than in tokens, and says what becomes of the last
 * message. Thoughts are folded away for everybody, and calls that need no word run silently. It is there for screen
 * readers alone. */
export function Announcer({ live, last }: { live: LiveText | undefined; last: Message | undefined }) {
  const texts = useTexts(chatTexts);
  const asksForWord = useAsksForWord();
  const said = useSpoken(live, last);
  const asking = last?.turn.tool_calls?.find((call) => asksForWord(last, call));
  const thinks = last?.state === "waiting" || (last?.state === "streaming" && last.parts.at(-1)?.kind === "reasoning");
  const states: Record<string, string> = { stopped: texts.stopped, cut: texts.cut };
  const status = thinks ? texts.thinking : (states[last?.state ?? ""] ?? "");
  return (
    <>
      <div role="log" aria-live="polite" className="sr-only">
        {/* Another element each time: the same words twice are news, too. */}
        <p key={said.count}>{said.text}</p>
      </div>
      <div role="status" className="sr-only">
        {asking === undefined ? status : texts.asksForWord(asking.name)}
      </div>
    </>
  );
}

/** Returns what of the answer is to be read now, and how often there was something. */
function useSpoken(live: LiveText | undefined, last: Message | undefined): { text: string; count: number } {
  const [said, setSaid] = useState({ text: "", count: 0 });
  const told = useRef<Told | undefined>(undefined);
  const ended = live === undefined && last !== undefined ? textOf(last) : undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `last` is another at each change of its parts
  useEffect(() => {
    const tell = (one: Told, text: string, end = text.length) => {
      const more = text.slice(one.at, end).trim();
      one.at = Math.max(one.at, end);
      if (more !== "") setSaid(({ count }) => ({ text: more, count: count + 1 }));
    };
    const before = told.current;
    if (before !== undefined && before.id !== last?.id) {
      tell(before, before.live?.text ?? "");
      told.current = undefined;
    }
    if (last === undefined) return;
    // What had ended before somebody looked is not read out, nor what there was of one that goes on.
    if (told.current === undefined && !isOpen(last)) return;
    told.current ??= { id: last.id, at: live?.known.length ?? textOf(last).length, live };
    const now = told.current;
    now.live = live;
    if (live === undefined) return tell(now, textOf(last));
    const timer = setInterval(() => tell(now, live.text, endOfSentence(live.text)), EVERY_MS);
    return () => clearInterval(timer);
  }, [live, last?.id, ended]);
  return said;
}

/** Returns where the last whole sentence or line of `text` ends. */
function endOfSentence(text: string): number {
  const end = /[\s\S]*(?:[.!?:;]\s|\n)/.exec(text);
  return end === null ? 0 : end[0].length;
}
