import { useState } from "react";
import { Spinner } from "@/components/Spinner";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { Alternatives } from "./Alternatives";
import { BANDS, TokenText } from "./TokenText";
import { completionTexts } from "./texts";
import { perplexity, type ScoredToken } from "./tokens";

/** What came of a run. `seconds`: from the first token on. */
export interface Outcome {
  tokens: readonly ScoredToken[];
  seconds: number;
  finish: string | null;
}

/** The text with its tokens coloured, and what there is to know about the chosen one. */
export function CompletionResult({ outcome, busy }: { outcome: Outcome; busy: boolean }) {
  const texts = useTexts(completionTexts);
  const format = useFormat();
  const [chosen, setChosen] = useState<number | null>(null);
  const { tokens, seconds, finish } = outcome;
  if (tokens.length === 0)
    return (
      <p className="flex min-h-24 items-center justify-center rounded-md border border-dashed border-line-strong/60 p-4 text-center text-muted">
        {busy ? <Spinner /> : texts.none}
      </p>
    );
  const surprise = perplexity(tokens);
  const facts = [
    texts.tokens(tokens.length),
    ...(seconds > 0 ? [texts.speed(format.number((tokens.length - 1) / seconds, 1))] : []),
    ...(surprise === null ? [] : [texts.perplexity(format.number(surprise, 2))]),
    ...(finish === null ? [] : [texts.ended[finish] ?? finish]),
  ];
  return (
    <section aria-label={texts.result} className="flex min-w-0 flex-col gap-3">
      <div className="rounded-md border border-line p-3">
        <TokenText tokens={tokens} chosen={chosen} onChoose={setChosen} />
      </div>
      <div className="flex flex-wrap justify-between gap-x-6 gap-y-1 text-sm text-muted">
        <p className="tabular-nums">{facts.join(" · ")}</p>
        <ul aria-label={texts.legend} className="flex flex-wrap gap-x-4 gap-y-1">
          {texts.bands.map((name, index) => (
            <li key={name} className="flex items-center gap-1.5">
              <span aria-hidden className={`size-3 rounded-sm border border-line ${BANDS[index]}`} />
              {name}
            </li>
          ))}
        </ul>
      </div>
      <Alternatives token={chosen === null ? undefined : tokens[chosen]} />
    </section>
  );
}
