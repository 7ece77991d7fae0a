import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./plot.css";
import { type Formatter, useFormat } from "@/i18n/format";
import type { Columns, Window } from "../points";
import type { Series, Unit } from "./definitions";
import { inUnit } from "./units";
import { colorOf, useTheme } from "./useThemeColors";

export interface PlotProps {
  series: readonly Series[];
  unit: Unit;
  sparse: boolean;
  data: Columns;
  shown: Window;
  onZoom: (window: Window) => void;
  onReset: () => void;
  /** The index of the point under the pointer, null where there is none. */
  onHover: (index: number | null) => void;
}

const HEIGHT = 168;
const AXIS = { size: 56, gap: 4 };
/** How far apart two times have to be, so that neither touches the other. */
const TIME_SPACE = 76;

/** What an axis shows at least, so that its labels differ where nothing goes on. */
const LEAST_TOP: Record<Unit, number> = { rate: 10, seconds: 0.01, count: 4, bytes: 1e6, share: 1 };

/** Draws the curves of a chart. It is a picture: what it shows is told by the legend and the table beside it. */
export default function Plot({ series, unit, sparse, data, shown, onZoom, onReset, onHover }: PlotProps) {
  const format = useFormat();
  const theme = useTheme();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef({ data, shown, onZoom, onReset, onHover });
  latest.current = { data, shown, onZoom, onReset, onHover };

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colors
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(
      options({ series, unit, sparse }, format, element.clientWidth, {
        zoom: (window) => latest.current.onZoom(window),
        hover: (index) => latest.current.onHover(index),
      }),
      latest.current.data as uPlot.AlignedData,
      element,
    );
    const { from, to } = latest.current.shown;
    made.setScale("x", { min: from, max: to });
    made.over.addEventListener("dblclick", () => latest.current.onReset());
    const sizes = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    sizes.observe(element);
    plot.current = made;
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [series, unit, sparse, format, theme]);

  useEffect(() => {
    plot.current?.batch(() => {
      plot.current?.setData(data as uPlot.AlignedData, false);
      plot.current?.setScale("x", { min: shown.from, max: shown.to });
    });
  }, [data, shown]);

  return <div ref={place} aria-hidden className="min-w-0 touch-pan-y" />;
}

interface Handlers {
  zoom: (window: Window) => void;
  hover: (index: number | null) => void;
}

function options(
  { series, unit, sparse }: Pick<PlotProps, "series" | "unit" | "sparse">,
  format: Formatter,
  width: number,
  on: Handlers,
): uPlot.Options {
  const axis = { stroke: colorOf("text-muted"), ticks: { show: false }, grid: { stroke: colorOf("border"), width: 1 } };
  const time = (at: number, seconds: boolean) =>
    new Intl.DateTimeFormat(document.documentElement.lang, {
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      ...(seconds ? { second: "2-digit" } : {}),
    }).format(at * 1000);
  return {
    width,
    height: HEIGHT,
    // The last time stands half beyond the last point.
    padding: [8, 32, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      sync: { key: "metrics" },
    },
    scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, LEAST_TOP[unit])] } },
    axes: [
      {
        ...axis,
        size: 28,
        space: TIME_SPACE,
        values: (_, splits, __, ___, step) => splits.map((at) => time(at, step < 60)),
      },
      {
        ...axis,
        ...AXIS,
        values: (_, splits) => splits.map((value) => inUnit(value, unit, format).replace(" tok/s", "")),
      },
    ],
    series: [
      {},
      ...series.map(({ color }) => ({
        stroke: colorOf(`chart-${color}`),
        width: 1.5,
        spanGaps: sparse,
        points: { show: sparse, size: 4, fill: colorOf(`chart-${color}`) },
      })),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width: chosen } = plot.select;
          if (chosen > 4) on.zoom({ from: plot.posToVal(left, "x"), to: plot.posToVal(left + chosen, "x") });
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      setCursor: [(plot) => on.hover(plot.cursor.idx ?? null)],
    },
  };
}
