import { Table2 } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";
import { IconButton } from "@/components/Button";
import { Card } from "@/components/Card";
import { Skeleton } from "@/components/Skeleton";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { columns, latest, type Measure, type Point, type Window } from "../points";
import { metricsTexts } from "../texts";
import { ChartTable } from "./ChartTable";
import type { ChartDefinition, Series } from "./definitions";
import { inUnit } from "./units";

const Plot = lazy(() => import("./Plot"));

/** How long what is measured now and then is still told as the latest. */
const TREND_SECONDS = 60;

const DOTS: Record<Series["color"], string> = {
  1: "bg-chart-1",
  2: "bg-chart-2",
  3: "bg-chart-3",
  4: "bg-chart-4",
  5: "bg-chart-5",
  6: "bg-chart-6",
};

export interface ChartProps {
  chart: ChartDefinition;
  points: readonly Point[];
  resolution: number;
  shown: Window;
  onZoom: (window: Window) => void;
  onReset: () => void;
}

/** Curves over time, with a legend of what they are at now or under the pointer, and the same as a table. */
export function Chart({ chart, points, resolution, shown, onZoom, onReset }: ChartProps) {
  const texts = useTexts(metricsTexts);
  const format = useFormat();
  const [table, setTable] = useState(false);
  const [hovered, setHovered] = useState<number | null>(null);
  const { series, unit, sparse = false } = chart;
  const data = useMemo(
    () =>
      columns(
        points,
        series.map(({ measure }) => measure),
        resolution,
      ),
    [points, series, resolution],
  );
  const time = hovered === null ? undefined : data[0][hovered];
  const shownOf = (index: number, measure: Measure) =>
    hovered === null ? latest(points, measure, sparse ? TREND_SECONDS : undefined) : data[index + 1]?.[hovered];
  return (
    <Card
      title={texts.charts[chart.id]}
      actions={
        <IconButton
          label={table ? texts.showChart : texts.showTable}
          size="small"
          aria-pressed={table}
          onClick={() => setTable(!table)}
        >
          <Table2 />
        </IconButton>
      }
    >
      {table ? (
        <ChartTable chart={chart} points={points} shown={shown} />
      ) : (
        <Suspense fallback={<Skeleton className="h-42" />}>
          <Plot {...{ series, unit, sparse, data, shown, onZoom, onReset }} onHover={setHovered} />
        </Suspense>
      )}
      <div className="mt-2 flex items-start gap-4 text-sm">
        <dl className="flex flex-1 flex-wrap gap-x-4 gap-y-1">
          {series.map(({ measure, label, color }, index) => (
            <div key={label} className="flex items-center gap-1.5">
              <dt className="flex items-center gap-1.5 text-muted">
                <span aria-hidden className={`h-0.5 w-3 rounded-full ${DOTS[color]}`} />
                {texts.series[label]}
              </dt>
              <dd className="font-medium tabular-nums">{inUnit(shownOf(index, measure), unit, format)}</dd>
            </div>
          ))}
        </dl>
        {time !== undefined && (
          <span aria-hidden className="text-muted tabular-nums">
            {format.time(new Date(time * 1000))}
          </span>
        )}
      </div>
    </Card>
  );
}
