import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import type { Usage } from "../model";
import { chatTexts } from "../texts";

/** How fast an answer was, and what it took. */
export function UsageLine({ usage }: { usage: Usage | null }) {
  const texts = useTexts(chatTexts);
  const format = useFormat();
  if (usage === null) return null;
  const { tokensPerSecond, firstTokenSeconds, completionTokens, promptTokens, cachedTokens } = usage;
  const facts = [
    tokensPerSecond !== null && texts.tokensPerSecond(format.number(tokensPerSecond, tokensPerSecond < 10 ? 1 : 0)),
    firstTokenSeconds !== null && texts.firstToken(format.duration(firstTokenSeconds)),
    completionTokens !== null && texts.tokens(format.number(completionTokens)),
    promptTokens !== null && texts.promptTokens(format.number(promptTokens), format.number(cachedTokens ?? 0)),
  ].filter((fact) => fact !== false);
  return (
    <p className="ml-2 flex flex-wrap gap-x-3 text-sm text-muted tabular-nums">
      {facts.map((fact) => (
        <span key={fact}>{fact}</span>
      ))}
    </p>
  );
}
