import type { Formatter } from "@/i18n/format";
import type { Job } from "../library";

interface Words {
  howFar: (completed: string, total: string) => string;
  rate: (rate: string) => string;
  left: (time: string) => string;
}

/** How far a job is in words: `1.2 GB of 4.7 GB · 80 MB/s · 44 s left`; empty where nothing is known. */
export function progressText(job: Job, words: Words, format: Formatter): string {
  if (job.total <= 0) return job.completed > 0 ? format.bytes(job.completed) : "";
  const parts = [words.howFar(format.bytes(job.completed), format.bytes(job.total))];
  if (job.rate > 0) parts.push(words.rate(format.bytes(job.rate)));
  // Less than a second is over before it is read.
  if (job.seconds_left !== null && job.seconds_left >= 1)
    parts.push(words.left(format.duration(Math.round(job.seconds_left))));
  return parts.join(" · ");
}

/** How far a job is, of 1; null where nobody knows. */
export const fraction = (job: Job): number | null => (job.total > 0 ? job.completed / job.total : null);
