import { Link } from "@tanstack/react-router";
import { shortName } from "@/api/models";
import { classes } from "@/components/classes";
import { type Formatter, useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import type { RequestsSearch } from "./routes";
import { StateBadge } from "./StateBadge";
import { TimelineBar } from "./TimelineBar";
import { requestsTexts } from "./texts";
import { duration, isOpen, type RequestInfo, timeline } from "./timeline";

/** The last part of a path, as people call a model that is a file. */
export const modelName = (model: string): string => shortName(model.split("/").at(-1) || model);

/** How many tokens it has written: that is told at its end. */
export const writtenTokens = (request: RequestInfo, format: Formatter): string =>
  isOpen(request) && request.completion_tokens === 0 ? "…" : format.number(request.completion_tokens);

/** Whether it is of those that read or write some: to cut a text into tokens is none. */
const hasTokens = (request: RequestInfo): boolean =>
  isOpen(request) || request.prompt_tokens + request.completion_tokens > 0;

/** A request in the list: what was asked of which model, how far it is, and where its time went. */
export function RequestRow({
  request,
  now,
  search,
}: {
  request: RequestInfo;
  now: number;
  /** What the page shows now. */
  search: RequestsSearch;
}) {
  const texts = useTexts(requestsTexts);
  const format = useFormat();
  const selected = search.id === request.id;
  return (
    <li>
      <Link
        to="/ui/requests"
        search={{ ...search, id: request.id }}
        aria-current={selected ? "true" : undefined}
        className={classes(
          "flex flex-col gap-1.5 border-b border-line px-3 py-2.5 md:px-6 -outline-offset-2 hover:bg-sunken",
          selected && "bg-accent-soft hover:bg-accent-soft",
        )}
      >
        <span className="flex min-w-0 items-center gap-2">
          <StateBadge state={request.state} />
          <span className="min-w-0 flex-1 truncate font-medium">{modelName(request.model)}</span>
          {request.restarts > 0 && (
            <span className="text-sm whitespace-nowrap text-warning">{texts.survived(request.restarts)}</span>
          )}
          <span className="text-sm whitespace-nowrap text-muted tabular-nums">
            {format.duration(duration(request, now))}
          </span>
        </span>
        <TimelineBar spans={timeline(request, now)} />
        <span className="flex min-w-0 gap-3 text-sm text-muted tabular-nums">
          <span className="min-w-0 flex-1 truncate">{request.route || request.surface}</span>
          {hasTokens(request) && (
            <span className="whitespace-nowrap">
              {texts.tokens(format.number(request.prompt_tokens), writtenTokens(request, format))}
            </span>
          )}
          <span className="whitespace-nowrap max-sm:hidden">{format.time(new Date(request.received * 1000))}</span>
        </span>
      </Link>
    </li>
  );
}
