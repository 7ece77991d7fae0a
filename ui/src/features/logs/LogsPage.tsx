import { useNavigate, useSearch } from "@tanstack/react-router";
import { ArrowDownToLine, ScrollText } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { LiveBadge } from "@/components/LiveBadge";
import { Page } from "@/components/Page";
import { Skeleton } from "@/components/Skeleton";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { LogFilters } from "./LogFilters";
import { LogList } from "./LogList";
import { asText, type LogFilter } from "./lines";
import { useLogLines, useSettled } from "./queries";
import { searchOf } from "./routes";
import { logsTexts } from "./texts";

const TYPING_MS = 250;

/** What the server has to say, as it says it. */
export function LogsPage() {
  const texts = useTexts(logsTexts);
  const format = useFormat();
  const { level = "debug", logger = "", text = "" } = useSearch({ from: "/ui/logs" });
  const navigate = useNavigate({ from: "/ui/logs" });
  const [follow, setFollow] = useState(true);
  const settled = useSettled(text, TYPING_MS);
  const { data, state, error } = useLogLines({ level, logger, text: settled });
  const choose = (filter: LogFilter) => {
    setFollow(true);
    void navigate({ search: searchOf(filter), replace: true });
  };
  return (
    <Page
      title={texts.title}
      fill
      actions={
        <>
          <span className="text-sm text-muted tabular-nums max-sm:hidden">
            {texts.lines(format.number(data?.length ?? 0))}
          </span>
          <LiveBadge state={state} />
          <Button
            aria-pressed={follow}
            icon={<ArrowDownToLine aria-hidden className="size-4" />}
            look={follow ? "primary" : "secondary"}
            onClick={() => setFollow(!follow)}
          >
            {texts.follow}
          </Button>
          <CopyButton text={() => asText(data ?? [])} label={texts.copyAll} />
        </>
      }
    >
      <LogFilters filter={{ level, logger, text }} onChange={choose} />
      {error !== undefined && state === "closed" && <ErrorNotice error={error} />}
      {data === undefined && state !== "closed" && <Skeleton className="m-4 h-40" />}
      {data?.length === 0 && (
        <EmptyState icon={<ScrollText />} title={texts.empty}>
          {texts.emptyHint}
        </EmptyState>
      )}
      {data !== undefined && data.length > 0 && (
        <LogList label={texts.title} lines={data} follow={follow} onFollow={setFollow} />
      )}
    </Page>
  );
}
