import { Button } from "@/components/Button";
import { Card } from "@/components/Card";
import { useTexts } from "@/i18n/texts";
import { goesOn, type Job } from "../library";
import { JobRow } from "./JobRow";
import { jobTexts } from "./texts";
import { useJobControl } from "./useJobs";

/** The work on models that goes on, and what has ended and was not removed yet; nothing where there is none. */
export function JobsPanel({ jobs }: { jobs: readonly Job[] }) {
  const texts = useTexts(jobTexts);
  if (jobs.length === 0) return null;
  const ended = jobs.filter((job) => !goesOn(job));
  const sorted = jobs.toSorted((a, b) => Number(goesOn(b)) - Number(goesOn(a)));
  return (
    <Card title={texts.title} flush {...(ended.length > 1 ? { actions: <ClearAll jobs={ended} /> } : {})}>
      <ul aria-label={texts.jobs}>
        {sorted.map((job) => (
          <JobRow key={job.id} job={job} />
        ))}
      </ul>
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
