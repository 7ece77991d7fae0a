import { CopyButton } from "@/components/CopyButton";
import { classes } from "@/components/classes";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { asText, type LogLine } from "./lines";
import { logsTexts } from "./texts";

const COLORS: Record<string, string> = {
  debug: "text-muted",
  info: "text-accent-ink",
  warning: "text-warning",
  error: "text-danger",
  critical: "text-danger",
};

/** A line of the log, with its traceback to be opened. */
export function LogRow({ line }: { line: LogLine }) {
  const texts = useTexts(logsTexts);
  const format = useFormat();
  const loud = line.level === "error" || line.level === "critical";
  return (
    <div
      className={classes(
        "group flex items-start gap-x-3 border-b border-line px-3 py-1 font-mono text-sm max-md:flex-wrap md:px-6",
        loud && "bg-danger-soft/40",
      )}
    >
      <time className="shrink-0 text-muted tabular-nums" dateTime={new Date(line.t * 1000).toISOString()}>
        {format.time(new Date(line.t * 1000))}
      </time>
      <span className={classes("w-16 shrink-0 font-semibold", COLORS[line.level])}>{line.level}</span>
      <span className="w-40 shrink-0 truncate text-muted max-md:w-auto max-md:min-w-0 max-md:flex-1">
        {line.logger.replace(/^mlxr\./, "")}
      </span>
      <div className="min-w-0 flex-1 wrap-anywhere max-md:basis-full">
        {line.message}
        {line.request_id !== "" && <div className="text-xs text-muted">{line.request_id}</div>}
        {line.traceback !== "" && (
          <details>
            <summary className="text-muted">{texts.traceback}</summary>
            <pre tabIndex={0} className="overflow-x-auto py-1 text-xs whitespace-pre">
              {line.traceback}
            </pre>
          </details>
        )}
      </div>
      <CopyButton
        text={() => asText([line])}
        label={texts.copyLine}
        className="-my-1 opacity-0 group-hover:opacity-100 focus-visible:opacity-100 max-md:hidden"
      />
    </div>
  );
}
