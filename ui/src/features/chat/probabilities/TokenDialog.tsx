import { useRef, useState } from "react";
import { Dialog } from "@/components/Dialog";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import type { ChatLogprob } from "../wire";
import { Alternatives } from "./Alternatives";
import { probability, visible } from "./align";
import { probabilityTexts } from "./texts";

/** Tones from unlikely to likely. */
const TONES = ["bg-danger-soft text-danger", "bg-warning-soft text-warning", "bg-success-soft text-success", ""];

const toneOf = ({ logprob }: ChatLogprob): string | undefined => {
  const share = probability(logprob);
  return TONES[share < 0.1 ? 0 : share < 0.4 ? 1 : share < 0.8 ? 2 : 3];
};

/** An answer token by token. One is in focus: arrow keys, Home and End move on, and so does pointing at another. */
export default function TokenDialog({ tokens, onClose }: { tokens: readonly ChatLogprob[]; onClose: () => void }) {
  const texts = useTexts(probabilityTexts);
  const format = useFormat();
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const move = (to: number) => {
    const index = Math.max(0, Math.min(tokens.length - 1, to));
    setAt(index);
    list.current?.querySelector<HTMLElement>(`[data-token="${index}"]`)?.focus();
  };
  const chosen = tokens[at];
  return (
    <Dialog open onClose={onClose} title={texts.show} description={texts.about} size="large">
      <div className="flex gap-4 max-md:flex-col">
        <div
          ref={list}
          role="toolbar"
          aria-label={texts.tokens}
          className="min-h-0 flex-1 overflow-y-auto font-mono text-sm leading-7 wrap-anywhere whitespace-pre-wrap md:max-h-[60dvh] max-md:max-h-[40dvh]"
          onKeyDown={(event) => {
            const steps: Record<string, number> = {
              ArrowRight: at + 1,
              ArrowLeft: at - 1,
              Home: 0,
              End: tokens.length,
            };
            const to = steps[event.key];
            if (to === undefined) return;
            event.preventDefault();
            move(to);
          }}
        >
          {tokens.map((entry, index) => (
            <button
              // biome-ignore lint/suspicious/noArrayIndexKey: tokens stay in their places
              key={index}
              type="button"
              data-token={index}
              tabIndex={index === at ? 0 : -1}
              aria-pressed={index === at}
              aria-label={texts.token(visible(entry.token), `${format.number(probability(entry.logprob) * 100, 1)} %`)}
              onFocus={() => setAt(index)}
              onPointerEnter={() => setAt(index)}
              onClick={() => move(index)}
              className={`inline rounded-sm border text-left ${toneOf(entry)} ${index === at ? "border-accent" : "border-transparent"}`}
            >
              {entry.token.replaceAll("\n", "⏎\n")}
            </button>
          ))}
        </div>
        <div aria-live="polite" className="shrink-0 md:w-72">
          {chosen !== undefined && <Alternatives entry={chosen} />}
        </div>
      </div>
    </Dialog>
  );
}
