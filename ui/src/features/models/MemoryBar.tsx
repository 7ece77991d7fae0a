import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import type { Machine } from "./library";
import { modelsTexts } from "./texts";

/** How the machine's memory is used: what loaded models may take, what everything else does, and what is left. */
export function MemoryBar({ machine }: { machine: Machine }) {
  const texts = useTexts(modelsTexts);
  const format = useFormat();
  const { total, available, limit, loaded } = machine;
  if (total <= 0) return null;
  const others = Math.max(0, total - available - loaded);
  // Models take what they may little by little: what is not theirs yet is kept for them all the same.
  const free = Math.max(0, total - loaded - others);
  const percent = (bytes: number) => `${Math.min(100, (100 * bytes) / total)}%`;
  const said = texts.memoryText(format.bytes(loaded), format.bytes(others), format.bytes(free));
  return (
    <section aria-label={texts.memory} className="flex flex-col gap-1.5">
      <div role="img" aria-label={said} className="relative flex h-2 overflow-hidden rounded-full bg-line">
        <div className="h-full bg-accent" style={{ width: percent(loaded) }} />
        <div className="h-full bg-line-strong" style={{ width: percent(others) }} />
        {limit > 0 && limit < total && (
          <div className="absolute inset-y-0 w-0.5 bg-ink" style={{ left: percent(limit) }} />
        )}
      </div>
      <p className="flex flex-wrap gap-x-4 text-sm text-muted">
        <Legend className="bg-accent" label={texts.memoryModels} bytes={format.bytes(loaded)} />
        <Legend className="bg-line-strong" label={texts.memoryOthers} bytes={format.bytes(others)} />
        <Legend className="bg-line" label={texts.memoryFree} bytes={format.bytes(free)} />
        {limit > 0 && <span className="ml-auto max-sm:hidden">{texts.memoryLimit(format.bytes(limit))}</span>}
      </p>
    </section>
  );
}

function Legend({ className, label, bytes }: { className: string; label: string; bytes: string }) {
  return (
    <span className="flex items-center gap-1.5">
      <span aria-hidden className={`size-2 rounded-full ${className}`} />
      {label} <span className="tabular-nums">{bytes}</span>
    </span>
  );
}
