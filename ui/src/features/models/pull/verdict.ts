import type { Schemas } from "@/api/client";

export type Estimate = Schemas["Estimate"];

/** What speaks for or against getting a model, the gravest first. */
export type Verdict = "runsNot" | "noRoom" | "fitsNot" | "good";

export function verdictOf(estimate: Pick<Estimate, "runs" | "disk" | "memory">): Verdict {
  if (!estimate.runs) return "runsNot";
  if (!estimate.disk.fits) return "noRoom";
  return estimate.memory?.fits === false ? "fitsNot" : "good";
}
