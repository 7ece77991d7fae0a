import { Tooltip } from "@/components/Tooltip";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";

const RADIUS = 7;
const ROUND = 2 * Math.PI * RADIUS;

/** How much of the model's context the chat fills. */
export function ContextMeter({ used, context }: { used: number; context: number }) {
  const texts = useTexts(chatTexts);
  const format = useFormat();
  const share = Math.min(1, used / Math.max(1, context));
  const said = texts.context(format.number(used), format.number(context), format.number(share * 100));
  const tone = share > 0.9 ? "stroke-danger" : share > 0.7 ? "stroke-warning" : "stroke-accent";
  return (
    <Tooltip text={said}>
      <span
        role="img"
        aria-label={said}
        tabIndex={0}
        className="flex items-center gap-1.5 rounded-sm text-sm text-muted tabular-nums"
      >
        <svg viewBox="0 0 18 18" aria-hidden="true" className="size-4.5 -rotate-90">
          <circle cx="9" cy="9" r={RADIUS} fill="none" strokeWidth="3" className="stroke-line" />
          <circle
            cx="9"
            cy="9"
            r={RADIUS}
            fill="none"
            strokeWidth="3"
            strokeDasharray={`${share * ROUND} ${ROUND}`}
            className={tone}
          />
        </svg>
        <span className="max-md:hidden">{format.number(share * 100)} %</span>
      </span>
    </Tooltip>
  );
}
