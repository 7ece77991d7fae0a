import { useState } from "react";
import { Button } from "@/components/Button";
import { Card } from "@/components/Card";
import { useTexts } from "@/i18n/texts";
import { goesOn, type Job } from "../library";
import { JobRow } from "./JobRow";
import { jobTexts } from "./texts";
import { useJobControl } from "./useJobs";

/** Of what has ended, so many are shown at first. */
const FEW = 2;
/** What goes on comes first, then what waits for somebody to go on with it. */
const RANK: Record<Job["state"], number> = { running: 0, waiting: 1, interrupted: 2, failed: 3, cancelled: 4, done: 5 };

/** The work on models that goes on, and what has ended and was not removed yet; nothing where there is none. */
export function JobsPanel({ jobs }: { jobs: readonly Job[] }) {
  const texts = useTexts(jobTexts);
  const [all, setAll] = useState(false);
  if (jobs.length === 0) return null;
  const ended = jobs.filter((job) => !goesOn(job));
  const sorted = jobs.toSorted((a, b) => RANK[a.state] - RANK[b.state]);
  const shown = all ? sorted : sorted.filter((job, index) => goesOn(job) || index < FEW);
  return (
    <Card title={texts.title} flush {...(ended.length > 1 ? { actions: <ClearAll jobs={ended} /> } : {})}>
      <ul aria-label={texts.jobs}>
        {shown.map((job) => (
          <JobRow key={job.id} job={job} />
        ))}
      </ul>
      {sorted.length > shown.length && (
        <div className="border-t border-line px-2 py-1.5">
          <Button size="small" look="ghost" onClick={() => setAll(true)}>
            {texts.showMore(sorted.length - shown.length)}
          </Button>
        </div>
      )}
    </Card>
  );
}

function ClearAll({ jobs }: { jobs: readonly Job[] }) {
  const texts = useTexts(jobTexts);
  const { forget } = useJobControl(jobs.map(({ id }) => id));
  return (
    <Button size="small" look="ghost" busy={forget.isPending} onClick={() => forget.mutate()}>
      {texts.clear}
    </Button>
  );
}
