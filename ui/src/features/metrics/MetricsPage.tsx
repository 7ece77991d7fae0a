import { useNavigate, useSearch } from "@tanstack/react-router";
import { Activity, Pause, Play, ZoomIn, ZoomOut } from "lucide-react";
import { useMemo, useState } from "react";
import { Button, IconButton } from "@/components/Button";
import { Card } from "@/components/Card";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { LiveBadge } from "@/components/LiveBadge";
import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { ActorsTable } from "./actors/ActorsTable";
import { Chart } from "./charts/Chart";
import { CHARTS } from "./charts/definitions";
import { closer, type History, RANGES, type Range, type Window, whole } from "./points";
import { useMetrics } from "./queries";
import { RangeChoice } from "./RangeChoice";
import { metricsTexts } from "./texts";
import { Tiles } from "./tiles/Tiles";

/** What the server does, live and over the last 24 hours. */
export function MetricsPage() {
  const texts = useTexts(metricsTexts);
  const { range = "10m" } = useSearch({ from: "/ui/metrics" });
  const navigate = useNavigate({ from: "/ui/metrics" });
  const { data, error, refetch, state } = useMetrics(range);
  const [frozen, setFrozen] = useState<History>();
  const [zoom, setZoom] = useState<Window>();
  const history = frozen ?? data;
  const { resolution } = RANGES[range];
  const shown = useMemo(() => zoom ?? whole(history?.points ?? [], range), [zoom, history, range]);
  const choose = (chosen: Range) => {
    setFrozen(undefined);
    setZoom(undefined);
    void navigate({ search: chosen === "10m" ? {} : { range: chosen }, replace: true });
  };
  const reset = () => setZoom(undefined);
  return (
    <Page
      title={texts.title}
      wide
      actions={
        <>
          <LiveBadge state={frozen === undefined ? state : "paused"} />
          <RangeChoice value={range} onChange={choose} />
        </>
      }
    >
      <div className="flex flex-col gap-4">
        {error !== null && <ErrorNotice error={error} onRetry={() => void refetch()} />}
        {history === undefined && error === null && <Skeleton className="h-80" />}
        {history?.points.length === 0 && (
          <EmptyState icon={<Activity />} title={texts.empty}>
            {texts.emptyHint}
          </EmptyState>
        )}
        {history !== undefined && history.points.length > 0 && (
          <>
            <Tiles points={history.points} />
            <div className="flex flex-wrap items-center justify-end gap-2">
              <p className="min-w-64 flex-1 text-sm text-muted max-sm:basis-full">{texts.zoomHint}</p>
              <IconButton
                label={frozen === undefined ? texts.pause : texts.resume}
                aria-pressed={frozen !== undefined}
                onClick={() => setFrozen(frozen === undefined ? data : undefined)}
              >
                {frozen === undefined ? <Pause /> : <Play />}
              </IconButton>
              <IconButton label={texts.zoomIn} onClick={() => setZoom(closer(shown, resolution))}>
                <ZoomIn />
              </IconButton>
              <Button disabled={zoom === undefined} icon={<ZoomOut aria-hidden className="size-4" />} onClick={reset}>
                {texts.resetZoom}
              </Button>
            </div>
            <div className="grid gap-4 lg:grid-cols-2 lg:max-2xl:*:last:odd:col-span-2 2xl:grid-cols-3">
              {CHARTS.map((chart) => (
                <Chart
                  key={chart.id}
                  chart={chart}
                  points={history.points}
                  resolution={resolution}
                  shown={shown}
                  onZoom={setZoom}
                  onReset={reset}
                />
              ))}
            </div>
          </>
        )}
        <Card title={texts.actors.title}>
          <ActorsTable />
        </Card>
      </div>
    </Page>
  );
}
