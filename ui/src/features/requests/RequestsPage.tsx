import { useNavigate, useSearch } from "@tanstack/react-router";
import { ListTree } from "lucide-react";
import { classes } from "@/components/classes";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { SearchField, Select } from "@/components/Field";
import { LiveBadge } from "@/components/LiveBadge";
import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useTexts } from "@/i18n/texts";
import { useRequests } from "./queries";
import { RequestDetail } from "./RequestDetail";
import { RequestRow } from "./RequestRow";
import type { RequestsSearch } from "./routes";
import { requestsTexts } from "./texts";
import { isOpen, listed, type Show } from "./timeline";
import { useNow } from "./useNow";

const SHOWS: readonly Show[] = ["all", "open", "finished", "failed", "cancelled"];

/** The requests that are open and those that have ended lately, each with what became of its time. */
export function RequestsPage() {
  const texts = useTexts(requestsTexts);
  const search = useSearch({ from: "/ui/requests" });
  const { id, show = "all", text = "" } = search;
  const navigate = useNavigate({ from: "/ui/requests" });
  const { data, state, error } = useRequests();
  const now = useNow(data?.some(isOpen) === true);
  const rows = listed(data ?? [], show, text);
  const selected = data?.find((request) => request.id === id);
  const filter = (chosen: RequestsSearch) =>
    void navigate({ replace: true, search: { ...(id === undefined ? {} : { id }), ...chosen } });
  const byText = text === "" ? {} : { text };
  const byState = show === "all" ? {} : { show };
  return (
    <Page title={texts.title} fill actions={<LiveBadge state={state} />}>
      <div className="flex min-h-0 flex-1">
        <div className={classes("flex min-w-0 flex-1 flex-col", selected !== undefined && "max-lg:hidden")}>
          <div className="flex flex-wrap gap-2 border-b border-line px-3 py-2 md:px-6">
            <SearchField
              label={texts.search}
              value={text}
              fieldClassName="min-w-72 flex-1"
              onSearch={(words) => filter({ ...byState, ...(words === "" ? {} : { text: words }) })}
            />
            <Select
              label={texts.show}
              labelHidden
              value={show}
              fieldClassName="w-36 max-sm:grow"
              options={SHOWS.map((value) => ({ value, label: texts.shows[value] }))}
              onChange={({ target }) => {
                const chosen = target.value as Show;
                filter({ ...byText, ...(chosen === "all" ? {} : { show: chosen }) });
              }}
            />
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto">
            {error !== undefined && state === "closed" && <ErrorNotice error={error} />}
            {data === undefined && error === undefined && <Skeleton className="m-3 h-40" />}
            {data !== undefined && rows.length === 0 && (
              <EmptyState icon={<ListTree />} title={data.length === 0 ? texts.empty : texts.noMatch}>
                {data.length === 0 ? texts.emptyHint : texts.noMatchHint}
              </EmptyState>
            )}
            <ul aria-label={texts.title}>
              {rows.map((request) => (
                <RequestRow key={request.id} request={request} now={now} search={search} />
              ))}
            </ul>
          </div>
        </div>
        {selected !== undefined && (
          <div className="min-h-0 overflow-y-auto border-line max-lg:w-full lg:w-md lg:border-l xl:w-lg">
            <RequestDetail request={selected} now={now} list={{ ...byState, ...byText }} />
          </div>
        )}
      </div>
    </Page>
  );
}
