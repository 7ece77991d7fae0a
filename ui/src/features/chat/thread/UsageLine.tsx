import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import type { ChatUsage } from "../wire";

/** How fast an answer was, and what it took. */
export function UsageLine({ usage }: { usage: ChatUsage | null | undefined }) {
  const texts = useTexts(chatTexts);
  const format = useFormat();
  // An answer that failed before it began took nothing.
  if (usage == null || (!usage.prompt_tokens && !usage.completion_tokens)) return null;
  const {
    tokens_per_second: speed,
    ttft,
    completion_tokens: tokens,
    prompt_tokens: prompt,
    cached_tokens: cached,
    drafted_tokens: drafted,
    accepted_tokens: accepted,
  } = usage;
  const facts = [
    speed != null && texts.tokensPerSecond(format.number(speed, speed < 10 ? 1 : 0)),
    ttft != null && texts.firstToken(format.duration(ttft)),
    tokens !== undefined && texts.tokens(format.number(tokens)),
    prompt !== undefined && texts.promptTokens(format.number(prompt), format.number(cached ?? 0)),
    !!drafted && texts.draftedTokens(format.number(drafted), format.number(accepted ?? 0)),
  ].filter((fact) => fact !== false);
  return (
    <p className="ml-2 flex flex-wrap gap-x-3 text-sm text-muted tabular-nums">
      {facts.map((fact) => (
        <span key={fact}>{fact}</span>
      ))}
    </p>
  );
}
