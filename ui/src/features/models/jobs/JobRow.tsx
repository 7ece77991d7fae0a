import { Link } from "@tanstack/react-router";
import { RotateCcw, X } from "lucide-react";
import { Badge, type Tone } from "@/components/Badge";
import { Button, IconButton } from "@/components/Button";
import { ProgressBar } from "@/components/ProgressBar";
import { useFormat } from "@/i18n/format";
import { sentence } from "@/i18n/sentence";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { goesOn, type Job } from "../library";
import { fraction, progressText } from "./progressText";
import { jobTexts } from "./texts";
import { useJobControl } from "./useJobs";

const TONES: Record<Job["state"], Tone> = {
  waiting: "neutral",
  running: "accent",
  done: "success",
  failed: "danger",
  cancelled: "neutral",
  interrupted: "warning",
};

/** One job: what it is about, how far it is, what went wrong, and what can be done. */
export function JobRow({ job }: { job: Job }) {
  const texts = useTexts(jobTexts);
  const { control, forget } = useJobControl(job.id);
  const title = texts.kinds[job.kind](job.model);
  const about = aboutJob(job, texts);
  const isOver = !goesOn(job);
  return (
    <li className="flex flex-col gap-2 border-t border-line px-4 py-3 first:border-t-0">
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <p className="flex flex-wrap items-center gap-2">
            <span className="font-medium wrap-anywhere">{title}</span>
            <Badge tone={TONES[job.state]}>{texts.states[job.state]}</Badge>
          </p>
          {about !== "" && <p className="text-sm text-muted wrap-anywhere">{about}</p>}
        </div>
        <div className="flex shrink-0 items-center gap-1">
          {job.state === "done" && job.result !== "" && (
            <Link
              to="/ui/models"
              search={(old) => ({ ...old, model: job.result })}
              aria-label={texts.openNamed(job.result)}
              className="flex items-center rounded-sm px-2 py-1 text-accent-ink hover:bg-hover pointer-coarse:min-h-11"
            >
              {texts.open}
            </Link>
          )}
          {isOver && job.state !== "done" && (
            <Button
              size="small"
              icon={<RotateCcw aria-hidden className="size-4" />}
              busy={control.isPending}
              onClick={() => control.mutate("retry")}
            >
              <span className="max-sm:sr-only">
                {job.resumes && job.state !== "failed" ? texts.resume : texts.again}
              </span>
            </Button>
          )}
          {isOver ? (
            <IconButton label={texts.remove} size="small" busy={forget.isPending} onClick={() => forget.mutate()}>
              <X />
            </IconButton>
          ) : (
            <Button size="small" busy={control.isPending} onClick={() => control.mutate("cancel")}>
              {texts.cancel}
            </Button>
          )}
        </div>
      </div>
      <JobProgress job={job} />
    </li>
  );
}

/** How far a job is, what came of it, and what went wrong. */
export function JobProgress({ job }: { job: Job }) {
  const texts = useTexts(jobTexts);
  const words = useServerWords();
  const format = useFormat();
  const far = progressText(job, texts, format);
  const shows = job.state === "running" || (job.state === "interrupted" && job.total > 0);
  return (
    <>
      {shows && (
        <div className="flex flex-col gap-1">
          <ProgressBar
            label={texts.progress(texts.kinds[job.kind](job.model))}
            value={fraction(job)}
            {...(far === "" ? {} : { text: far })}
          />
          <p className="flex flex-wrap justify-between gap-x-4 text-sm text-muted">
            <span className="wrap-anywhere">{words(job.status)}</span>
            <span className="tabular-nums">{far}</span>
          </p>
        </div>
      )}
      {job.state === "failed" && <p className="text-danger wrap-anywhere">{sentence(words(job.error))}</p>}
      <Notes notes={job.notes} />
    </>
  );
}

/** What should be known of the outcome: the first remark, and the others when they are asked for. */
function Notes({ notes: [first, ...others] }: { notes: readonly string[] }) {
  const texts = useTexts(jobTexts);
  const words = useServerWords();
  if (first === undefined) return null;
  return (
    <div className="text-sm text-muted">
      <p className="wrap-anywhere">{words(first)}</p>
      {others.length > 0 && (
        <details>
          <summary className="rounded-sm hover:text-ink">{texts.remarks(others.length)}</summary>
          <ul className="mt-1 flex flex-col gap-0.5 pl-4">
            {others.map((note) => (
              <li key={note} className="wrap-anywhere">
                {words(note)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function aboutJob(job: Job, texts: (typeof jobTexts)["en"]): string {
  const parts: string[] = [];
  if (job.kind === "convert") parts.push(texts.converted(job.source, job.detail));
  if (job.kind === "create" && job.source !== "") parts.push(texts.madeOf(job.source));
  if (job.kind === "push" && job.source !== "") parts.push(texts.pushedTo(job.source));
  if (job.attempts > 1) parts.push(texts.attempt(job.attempts));
  return parts.join(" · ");
}
