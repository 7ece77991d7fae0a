import { describe, expect, it } from "vitest";
import { changed, type Job, type Library, type LibraryChanges, type Model } from "./library";

const model = (name: string, modified = 1) => ({ name, modified }) as Model;
const job = (id: string, created = 1, state: Job["state"] = "running") => ({ id, created, state }) as Job;
const known: Library = { version: "a.1", models: [model("tiny")], jobs: [job("pull-1")], machine: null };
const nothing: LibraryChanges = { reset: false, models: [], jobs: [], gone_models: [], gone_jobs: [], machine: null };

describe("changes of the library", () => {
  it("take the place of what they are about, and leave the rest", () => {
    const now = changed(known, { ...nothing, jobs: [job("pull-1", 1, "done")] }, "a.2");
    expect(now.jobs).toEqual([job("pull-1", 1, "done")]);
    expect(now.models).toEqual(known.models);
    expect(now.version).toBe("a.2");
  });

  it("put what is newest first", () => {
    const now = changed(known, { ...nothing, models: [model("later", 5)], jobs: [job("pull-2", 9)] }, "a.2");
    expect(now.models.map(({ name }) => name)).toEqual(["later", "tiny"]);
    expect(now.jobs.map(({ id }) => id)).toEqual(["pull-2", "pull-1"]);
  });

  it("remove what is gone", () => {
    const now = changed(known, { ...nothing, gone_models: ["tiny"], gone_jobs: ["pull-1"] }, "a.2");
    expect(now).toMatchObject({ models: [], jobs: [] });
  });

  it("replace all where the server begins anew", () => {
    const now = changed(known, { ...nothing, reset: true, models: [model("other")] }, "b.1");
    expect(now).toMatchObject({ models: [model("other")], jobs: [] });
  });

  it("keep what is known of memory until something else is", () => {
    const machine = { total: 4, available: 3, limit: 2, loaded: 1 };
    const now = changed({ ...known, machine }, nothing, "a.2");
    expect(now.machine).toBe(machine);
  });
});
