import { ProgressBar } from "@/components/ProgressBar";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { useAnswerProgress } from "../live/progress";
import type { Message } from "../model";
import { chatTexts } from "../texts";

/** How far an answer is that has not ended: waiting for its model or its turn, reading the prompt, or writing. */
export function Progress({ message }: { message: Message }) {
  const texts = useTexts(chatTexts);
  const format = useFormat();
  const progress = useAnswerProgress(message.id);
  const { prefill, tokensPerSecond, stage } = progress ?? {};
  return (
    <div className="flex min-h-10 items-center gap-3 pb-2 text-sm text-muted tabular-nums *:visible pointer-coarse:min-h-13">
      <span aria-hidden className="size-2 animate-pulse rounded-full bg-accent" />
      {prefill !== undefined ? (
        <>
          <span>{texts.reading(format.number(prefill.done), format.number(prefill.total))}</span>
          <span className="w-32">
            <ProgressBar label={texts.readingLabel} value={prefill.done / Math.max(1, prefill.total)} />
          </span>
        </>
      ) : tokensPerSecond !== undefined ? (
        <span>{texts.tokensPerSecond(format.number(tokensPerSecond, tokensPerSecond < 10 ? 1 : 0))}</span>
      ) : (
        message.state === "waiting" && <span>{stage === undefined ? texts.waiting : texts.stages[stage]}</span>
      )}
    </div>
  );
}
