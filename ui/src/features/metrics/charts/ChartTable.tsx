import { type Column, Table } from "@/components/Table";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { type Point, type Summary, summary, type Window } from "../points";
import { metricsTexts } from "../texts";
import type { ChartDefinition, Series } from "./definitions";
import { inUnit } from "./units";

type Row = Series & Summary;

/** What a chart shows, in numbers: the latest value of each series, the least, the most and the average. */
export function ChartTable({
  chart,
  points,
  shown,
}: {
  chart: ChartDefinition;
  points: readonly Point[];
  shown: Window;
}) {
  const texts = useTexts(metricsTexts);
  const format = useFormat();
  const within = points.filter(({ t }) => t >= shown.from && t <= shown.to);
  const rows: Row[] = chart.series.map((series) => ({ ...series, ...summary(within, series.measure) }));
  const number = (id: keyof Summary): Column<Row> => ({
    id,
    head: texts.summary[id],
    numeric: true,
    cell: (row) => inUnit(row[id], chart.unit, format),
  });
  return (
    <Table
      caption={texts.charts[chart.id]}
      columns={[
        { id: "series", head: texts.summary.series, cell: (row) => texts.series[row.label] },
        number("last"),
        number("average"),
        number("least"),
        number("most"),
      ]}
      rows={rows}
      rowKey={(row) => row.measure}
    />
  );
}
