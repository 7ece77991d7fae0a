import { type KeyboardEvent, useRef } from "react";
import { classes } from "@/components/classes";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { completionTexts } from "./texts";
import { bandOf, type ScoredToken } from "./tokens";

/** Colours by `bandOf`. */
export const BANDS = ["bg-transparent", "bg-success-soft", "bg-warning-soft", "bg-danger-soft"] as const;

export interface TokenTextProps {
  tokens: readonly ScoredToken[];
  chosen: number | null;
  onChoose: (index: number) => void;
}

/** A text whose tokens can be chosen: one stop for the Tab key, arrow keys within. */
export function TokenText({ tokens, chosen, onChoose }: TokenTextProps) {
  const texts = useTexts(completionTexts);
  const format = useFormat();
  const box = useRef<HTMLDivElement>(null);
  const pressed = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, Home: -tokens.length, End: tokens.length };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(tokens.length - 1, Math.max(0, (chosen ?? 0) + step));
    onChoose(next);
    box.current?.querySelectorAll("button")[next]?.focus();
  };
  return (
    <div ref={box} onKeyDown={pressed} className="font-mono text-base leading-7 whitespace-pre-wrap wrap-anywhere">
      {tokens.map(({ text, logprob }, index) => {
        const band = bandOf(logprob);
        const percent = logprob === null ? "" : `${format.number(Math.exp(logprob) * 100, 1)} %`;
        const breaks = text.split("\n").length - 1;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: tokens have no name but their place
          <span key={index}>
            <button
              type="button"
              tabIndex={index === (chosen ?? 0) ? 0 : -1}
              aria-pressed={index === chosen}
              aria-label={texts.label(spoken(text, texts), percent)}
              onClick={() => onChoose(index)}
              className={classes(
                "rounded-sm whitespace-pre-wrap outline-offset-0",
                band !== null && BANDS[band],
                index === chosen ? "outline-2 outline-accent" : "hover:outline-1 hover:outline-line-strong",
              )}
            >
              {text.replaceAll("\n", "↵")}
            </button>
            {"\n".repeat(breaks)}
          </span>
        );
      })}
    </div>
  );
}

function spoken(text: string, texts: { newline: string; space: string }): string {
  if (text.trim() !== "") return text.trim();
  return text.includes("\n") ? texts.newline : texts.space;
}
