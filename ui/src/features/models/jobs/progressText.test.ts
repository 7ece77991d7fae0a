import { describe, expect, it } from "vitest";
import { formatter } from "@/i18n/format";
import type { Job } from "../library";
import { fraction, progressText } from "./progressText";
import { jobTexts } from "./texts";

const job = (more: Partial<Job>) => ({ total: 0, completed: 0, rate: 0, seconds_left: null, ...more }) as Job;
const said = (more: Partial<Job>) => progressText(job(more), jobTexts.en, formatter("en"));

describe("how far a job is", () => {
  it("has the rate and the time that is left", () => {
    expect(said({ total: 4.7e9, completed: 1.2e9, rate: 80e6, seconds_left: 43.75 })).toBe(
      "1.2 GB of 4.7 GB · 80 MB/s · 44 s left",
    );
  });

  it("says no more than is known", () => {
    expect(said({})).toBe("");
    expect(said({ completed: 5e6 })).toBe("5 MB");
    expect(said({ total: 1e6, completed: 1e6, rate: 5, seconds_left: 0 })).toBe("1 MB of 1 MB · 5 B/s");
  });

  it("is a part of one where the whole is known", () => {
    expect([fraction(job({ total: 4, completed: 1 })), fraction(job({}))]).toEqual([0.25, null]);
  });
});
