import { useTexts } from "@/i18n/texts";
import { goesOn, type Job } from "../library";
import { JobRow } from "./JobRow";
import { jobTexts } from "./texts";

/** One job in a dialog that has started it. */
export function JobProgressCard({ job }: { job: Job }) {
  const texts = useTexts(jobTexts);
  return (
    <div className="flex flex-col gap-3">
      <ul aria-label={texts.jobs} className="rounded-md border border-line">
        <JobRow job={job} />
      </ul>
      {goesOn(job) && <p className="text-sm text-muted">{texts.goesOn}</p>}
    </div>
  );
}
