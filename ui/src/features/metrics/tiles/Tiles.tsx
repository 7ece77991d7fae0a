import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import type { Unit } from "../charts/definitions";
import { inUnit } from "../charts/units";
import { latest, type Measure, type Point, total } from "../points";
import { metricsTexts } from "../texts";
import { Tile } from "./Tile";

const TREND_POINTS = 60;

/** The numbers that one looks at first. */
export function Tiles({ points }: { points: readonly Point[] }) {
  const texts = useTexts(metricsTexts);
  const format = useFormat();
  const recent = points.slice(-TREND_POINTS);
  const trend = (measure: Measure) => recent.map((point) => point[measure]);
  /** Of what is measured now and then: without the times between. */
  const seenTrend = (measure: Measure) => trend(measure).filter((value) => value !== null);
  const now = (measure: Measure, unit: Unit) => inUnit(latest(points, measure), unit, format);
  const used = latest(points, "pages_used") ?? 0;
  const pages = latest(points, "pages_total") ?? 0;
  const seen = (measure: Measure, unit: Unit) =>
    inUnit(recent.findLast((point) => point[measure] !== null)?.[measure], unit, format);
  /** Says nothing of what was not measured. */
  const noted = (measure: Measure, unit: Unit, say: (value: string) => string) =>
    recent.some((point) => point[measure] !== null) ? say(seen(measure, unit)) : undefined;
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-6">
      <Tile
        label={texts.tiles.throughput}
        value={now("decode_rate", "rate")}
        note={texts.tiles.prefill(now("prefill_rate", "rate"))}
        trend={trend("decode_rate")}
      />
      <Tile
        label={texts.tiles.ttft}
        value={seen("ttft_p50", "seconds")}
        note={noted("ttft_p99", "seconds", texts.tiles.worst)}
        trend={seenTrend("ttft_p50")}
      />
      <Tile
        label={texts.tiles.interToken}
        value={seen("inter_token_p50", "seconds")}
        note={noted("inter_token_p99", "seconds", texts.tiles.worst)}
        trend={seenTrend("inter_token_p50")}
      />
      <Tile
        label={texts.tiles.requests}
        value={now("open", "count")}
        note={texts.tiles.outcomes(format.number(total(points, "finished")), format.number(total(points, "failed")))}
        trend={trend("open")}
      />
      <Tile
        label={texts.tiles.pages}
        value={pages > 0 ? `${format.number((100 * used) / pages)} %` : "–"}
        note={noted("prefix_hit_ratio", "share", texts.tiles.hits)}
        trend={trend("pages_used")}
      />
      <Tile
        label={texts.tiles.memory}
        value={now("memory_bytes", "bytes")}
        note={texts.tiles.available(now("available_bytes", "bytes"))}
        trend={trend("memory_bytes")}
      />
    </dl>
  );
}
