import type { Phase, PhaseSpan } from "./timeline";

export const PHASE_COLORS: Record<Phase, string> = {
  load: "bg-chart-6",
  prepare: "bg-chart-5",
  queue: "bg-chart-3",
  prefill: "bg-chart-2",
  decode: "bg-chart-1",
};

/** A request's time as a bar, a color a phase. What it shows is told in words beside it. */
export function TimelineBar({ spans, tall = false }: { spans: readonly PhaseSpan[]; tall?: boolean }) {
  const whole = spans.reduce((sum, { seconds }) => sum + seconds, 0) || 1;
  return (
    <div aria-hidden className={`flex w-full gap-px overflow-hidden rounded-sm bg-sunken ${tall ? "h-4" : "h-1.5"}`}>
      {spans.map(({ phase, seconds }) => (
        <div
          key={phase}
          className={`min-w-0.5 ${PHASE_COLORS[phase]}`}
          style={{ flexGrow: (100 * seconds) / whole, flexBasis: 0 }}
        />
      ))}
    </div>
  );
}
