import { ProgressBar } from "@/components/ProgressBar";
import { useTexts } from "@/i18n/texts";
import { useAnswerProgress } from "../live/progress";
import type { Message } from "../model";
import { chatTexts } from "../texts";

/** How far an answer is that has not ended: waiting, reading the prompt, or writing. */
export function Progress({ message }: { message: Message }) {
  const texts = useTexts(chatTexts);
  const progress = useAnswerProgress(message.id);
  return (
    <div className="flex min-h-10 items-center gap-3 pb-2 text-sm text-muted tabular-nums">
      <span aria-hidden className="size-2 animate-pulse rounded-full bg-accent" />
      {progress?.prefill !== undefined ? (
        <>
          <span>{texts.reading(progress.prefill.done, progress.prefill.total)}</span>
          <span className="w-40">
            <ProgressBar
              label={texts.readingLabel}
              value={progress.prefill.done / Math.max(1, progress.prefill.total)}
            />
          </span>
        </>
      ) : message.state === "waiting" ? (
        <span>{progress?.note ?? texts.waiting}</span>
      ) : (
        progress?.tokensPerSecond !== undefined && (
          <span>{texts.tokensPerSecond(progress.tokensPerSecond.toFixed(0))}</span>
        )
      )}
    </div>
  );
}
