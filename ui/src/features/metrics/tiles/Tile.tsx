import type { ReactNode } from "react";
import { sparkline } from "./sparkline";

const WIDTH = 120;
const HEIGHT = 24;

/** A number that matters, with how it came about of late. */
export function Tile({
  label,
  value,
  note,
  trend,
}: {
  label: string;
  value: ReactNode;
  note?: ReactNode;
  trend: readonly (number | null)[];
}) {
  return (
    <div className="flex min-w-0 flex-col gap-1 rounded-md border border-line p-3">
      <dt className="truncate text-sm text-muted">{label}</dt>
      <dd className="flex min-w-0 flex-col gap-1">
        <span className="truncate text-xl font-semibold tabular-nums">{value}</span>
        <span className="truncate text-xs text-muted tabular-nums">{note ?? "\u00a0"}</span>
        <svg
          aria-hidden="true"
          viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
          preserveAspectRatio="none"
          className="h-6 w-full text-chart-1"
        >
          <path
            d={sparkline(trend, WIDTH, HEIGHT)}
            fill="none"
            stroke="currentColor"
            strokeWidth="1.5"
            strokeLinejoin="round"
            vectorEffect="non-scaling-stroke"
          />
        </svg>
      </dd>
    </div>
  );
}
