import { Skull } from "lucide-react";
import type { Schemas } from "@/api/client";
import { Badge } from "@/components/Badge";
import { Button } from "@/components/Button";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Skeleton } from "@/components/Skeleton";
import { type Column, Table } from "@/components/Table";
import { useToast } from "@/components/Toast";
import { useFormat } from "@/i18n/format";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { useActors, useKillExecutor } from "../queries";
import { metricsTexts } from "../texts";

type Actor = Schemas["ActorInfo"];

/** The server's actors, with their restarts and memory; in developer mode the executor can be killed. */
export function ActorsTable() {
  const texts = useTexts(metricsTexts).actors;
  const words = useServerWords();
  const format = useFormat();
  const { data, error, refetch } = useActors();
  if (error !== null) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Skeleton className="h-40" />;
  const columns: Column<Actor>[] = [
    {
      id: "actor",
      head: texts.actor,
      cell: (actor) => (
        <div className="min-w-0">
          <div className="font-medium">{actor.kind}</div>
          {actor.engine !== "" && <div className="text-sm wrap-anywhere text-muted">{actor.engine}</div>}
        </div>
      ),
    },
    {
      id: "state",
      head: texts.state,
      cell: (actor) => (
        <div className="flex flex-wrap items-center gap-2">
          <Badge tone={actor.pid > 0 ? "success" : "warning"}>{actor.pid > 0 ? texts.running : texts.restarting}</Badge>
          {data.developer && <KillButton actor={actor} />}
        </div>
      ),
    },
    {
      id: "restarts",
      head: texts.restarts,
      numeric: true,
      cell: (actor) => (
        <div>
          {format.number(actor.restarts)}
          {actor.last_end !== "" && <div className="text-sm text-muted">{words(actor.last_end)}</div>}
        </div>
      ),
    },
    { id: "pid", head: texts.process, numeric: true, wideOnly: true, cell: (actor) => actor.pid || "–" },
    {
      id: "memory",
      head: texts.memory,
      numeric: true,
      className: "whitespace-nowrap",
      cell: (actor) => (actor.memory_bytes > 0 ? format.bytes(actor.memory_bytes) : "–"),
    },
    {
      id: "cpu",
      head: texts.cpu,
      numeric: true,
      wideOnly: true,
      cell: (actor) => (actor.pid > 0 ? `${format.number(actor.cpu_percent)} %` : "–"),
    },
    {
      id: "since",
      head: texts.since,
      wideOnly: true,
      cell: (actor) => format.relative(new Date(actor.started * 1000)),
    },
  ];
  return (
    <div className="flex flex-col gap-2">
      <Table caption={texts.title} columns={columns} rows={data.actors} rowKey={(actor) => actor.actor} />
      <p className="text-sm text-muted">
        {data.developer ? texts.killHint : texts.shared} {!data.developer && <Offer />}
      </p>
    </div>
  );
}

/** How anybody may watch streams survive. */
function Offer() {
  const texts = useTexts(metricsTexts).actors;
  return (
    <>
      {texts.offer} <code className="font-mono whitespace-nowrap text-ink">mlxr up --set ui.developer=true</code>
    </>
  );
}

function KillButton({ actor }: { actor: Actor }) {
  const texts = useTexts(metricsTexts).actors;
  const toast = useToast();
  const kill = useKillExecutor();
  if (actor.kind !== "executor") return null;
  const press = () =>
    kill.mutate(actor.engine, {
      onSuccess: ({ pid }) => toast({ text: texts.killed(pid) }),
      onError: (error) => toast({ tone: "danger", text: error.message }),
    });
  return (
    <Button
      look="danger"
      size="small"
      icon={<Skull aria-hidden className="size-4" />}
      busy={kill.isPending}
      onClick={press}
    >
      {texts.kill}
    </Button>
  );
}
