import { Link } from "@tanstack/react-router";
import { ArrowLeft, X } from "lucide-react";
import type { ReactNode } from "react";
import { CopyButton } from "@/components/CopyButton";
import { useFormat } from "@/i18n/format";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { CancelButton } from "./CancelButton";
import { modelName, writtenTokens } from "./RequestRow";
import type { RequestsSearch } from "./routes";
import { StateBadge } from "./StateBadge";
import { PHASE_COLORS, TimelineBar } from "./TimelineBar";
import { requestsTexts } from "./texts";
import { decodeRate, duration, isOpen, type RequestInfo, timeline, ttft } from "./timeline";

/** Everything that is known of a request; what its client wrote is not. */
export function RequestDetail({
  request,
  now,
  list,
}: {
  request: RequestInfo;
  now: number;
  /** The page without details. */
  list: RequestsSearch;
}) {
  const texts = useTexts(requestsTexts);
  const words = useServerWords();
  const format = useFormat();
  const spans = timeline(request, now);
  const rate = decodeRate(request, now);
  const first = ttft(request);
  const parameters = Object.entries(request.parameters);
  return (
    <article aria-label={texts.detail} className="flex min-w-0 flex-col gap-5 p-4">
      <header className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h2 className="text-lg font-semibold wrap-anywhere">{modelName(request.model)}</h2>
          <p className="mt-1 flex flex-wrap items-center gap-2 text-muted">
            <StateBadge state={request.state} />
            {format.date(new Date(request.received * 1000))}
          </p>
        </div>
        {isOpen(request) && <CancelButton id={request.id} />}
        <Link
          to="/ui/requests"
          search={list}
          aria-label={texts.close}
          className="flex size-8 items-center justify-center rounded-md hover:bg-hover pointer-coarse:size-11 [&_svg]:size-4"
        >
          <X className="max-lg:hidden" />
          <ArrowLeft className="lg:hidden" />
        </Link>
      </header>
      {request.error !== "" && (
        <p className="rounded-md bg-danger-soft px-3 py-2 wrap-anywhere text-danger">
          {words(request.error)}
          {request.code !== "" && <code className="ml-2 font-mono text-sm">{request.code}</code>}
        </p>
      )}
      <section>
        <h3 className="mb-2 font-semibold">{texts.timeline}</h3>
        <TimelineBar spans={spans} tall />
        <ol className="mt-3 flex flex-col gap-1.5">
          {spans.map(({ phase, start, seconds, open }) => (
            <li key={phase} className="flex items-center gap-2">
              <span aria-hidden className={`size-2.5 rounded-sm ${PHASE_COLORS[phase]}`} />
              <span className="flex-1">{texts.phases[phase]}</span>
              <span className="text-sm text-muted tabular-nums">{texts.after(format.duration(start))}</span>
              <span className="w-24 text-right tabular-nums">
                {format.duration(seconds)}
                {open && " …"}
              </span>
            </li>
          ))}
        </ol>
      </section>
      <Facts title={texts.result}>
        <Fact label={texts.facts.duration}>{format.duration(duration(request, now))}</Fact>
        <Fact label={texts.facts.ttft}>{first === null ? "–" : format.duration(first)}</Fact>
        <Fact label={texts.facts.rate}>{rate === null ? "–" : `${format.number(rate, 1)} tok/s`}</Fact>
        <Fact label={texts.facts.prompt}>{format.number(request.prompt_tokens)}</Fact>
        <Fact label={texts.facts.cached}>{format.number(request.cached_tokens)}</Fact>
        {request.restored_tokens > 0 && (
          <Fact label={texts.facts.restored}>{format.number(request.restored_tokens)}</Fact>
        )}
        {request.miss && <Fact label={texts.facts.miss}>{words(request.miss)}</Fact>}
        <Fact label={texts.facts.completion}>{writtenTokens(request, format)}</Fact>
        {request.drafted_tokens > 0 && (
          <>
            <Fact label={texts.facts.drafted}>{format.number(request.drafted_tokens)}</Fact>
            <Fact label={texts.facts.accepted}>{format.number(request.accepted_tokens)}</Fact>
          </>
        )}
        {request.stored_bytes > 0 && <Fact label={texts.facts.stored}>{format.bytes(request.stored_bytes)}</Fact>}
        <Fact label={texts.facts.finish}>{request.finish || "–"}</Fact>
        {request.restarts > 0 && <Fact label={texts.facts.restarts}>{format.number(request.restarts)}</Fact>}
      </Facts>
      <Facts title={texts.origin}>
        <Fact label={texts.facts.route}>{request.route || "–"}</Fact>
        <Fact label={texts.facts.caller}>{request.caller || "–"}</Fact>
        <Fact label={texts.facts.model}>{request.model}</Fact>
        <Fact label={texts.facts.engine}>{request.engine || "–"}</Fact>
        <Fact label={texts.facts.name}>
          <span className="font-mono text-sm">{request.name || request.id}</span>
          {request.name !== "" && <CopyButton text={request.name} label={texts.copyName} />}
        </Fact>
      </Facts>
      {parameters.length > 0 && (
        <Facts title={texts.parameters} note={texts.parametersNote}>
          {parameters.map(([name, value]) => (
            <Fact key={name} label={<code className="font-mono text-sm">{name}</code>}>
              <span className="font-mono text-sm">{typeof value === "string" ? value : JSON.stringify(value)}</span>
            </Fact>
          ))}
        </Facts>
      )}
      {request.name !== "" && (
        <Link to="/ui/logs" search={{ text: request.name }} className="font-medium text-accent-ink hover:underline">
          {texts.itsLog}
        </Link>
      )}
    </article>
  );
}

function Facts({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  return (
    <section>
      <h3 className="mb-1 font-semibold">{title}</h3>
      {note !== undefined && <p className="mb-2 text-sm text-muted">{note}</p>}
      <dl className="divide-y divide-line">{children}</dl>
    </section>
  );
}

function Fact({ label, children }: { label: ReactNode; children: ReactNode }) {
  return (
    <div className="flex min-h-8 items-center gap-3 py-1">
      <dt className="w-36 shrink-0 text-muted">{label}</dt>
      <dd className="flex min-w-0 flex-1 items-center gap-1 wrap-anywhere tabular-nums">{children}</dd>
    </div>
  );
}
