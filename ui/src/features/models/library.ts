import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type Schemas, unwrap } from "@/api/client";
import { followEvents, type StreamState } from "@/api/events";
import { forgetFailedLoads } from "./actions/failedLoads";

export type Job = Required<Schemas["Job"]>;
export type LoadedState = Required<Schemas["LoadedState"]>;
export type Model = Omit<Required<Schemas["LibraryModel"]>, "loaded"> & { loaded: LoadedState | null };
export type Machine = Schemas["MachineMemory"];

/** What there is on the server's machine: models, work on them, and memory. */
export interface Library {
  version: string;
  models: readonly Model[];
  jobs: readonly Job[];
  machine: Machine | null;
}

/** What has changed, as the server's events tell it. */
export interface LibraryChanges {
  reset: boolean;
  models: readonly Model[];
  jobs: readonly Job[];
  gone_models: readonly string[];
  gone_jobs: readonly string[];
  machine: Machine | null;
}

export const libraryQuery = queryOptions({
  queryKey: ["library"],
  queryFn: async ({ signal }): Promise<Library> => {
    const state = await unwrap(api.GET("/api/ui/models", { signal }));
    return { ...state, models: state.models as Model[], jobs: state.jobs as Job[] };
  },
  // The stream of changes keeps it fresh.
  staleTime: Number.POSITIVE_INFINITY,
});

/** The library as it is now: fetched once, then followed. `state` says whether the server is heard. */
export function useLibrary() {
  const client = useQueryClient();
  const [state, setState] = useState<StreamState>("connecting");
  const query = useQuery(libraryQuery);
  const ready = query.data !== undefined;
  useEffect(() => {
    if (!ready) return;
    const version = client.getQueryData(libraryQuery.queryKey)?.version;
    return followEvents("/api/ui/models/events", {
      ...(version === undefined ? {} : { lastEventId: version }),
      onState: setState,
      onEvent: ({ name, data, id }) => {
        if (name !== "library") return;
        const changes = JSON.parse(data) as LibraryChanges;
        for (const { name, loaded } of changes.models)
          if (loaded !== null && loaded.state !== "failed") forgetFailedLoads(client, name);
        const before = client.getQueryData(libraryQuery.queryKey);
        const now = client.setQueryData(
          libraryQuery.queryKey,
          (known) => known && changed(known, changes, id ?? known.version),
        );
        // Other pages ask Ollama's routes for models, and whether each would fit.
        if (listing(before) !== listing(now)) void client.invalidateQueries({ queryKey: ["models"] });
      },
    });
  }, [client, ready]);
  return { ...query, state };
}

/** Returns what there is and what is loaded, in letters; not how far a load is, which changes all along. */
const listing = (library: Library | undefined): string =>
  JSON.stringify(library?.models.map(({ name, modified, loaded }) => [name, modified, loaded?.state]));

/** Returns the library after `changes`: models and jobs stand in the server's order, the newest first. */
export function changed(known: Library, changes: LibraryChanges, version: string): Library {
  const models = merged(known.models, changes.models, changes.gone_models, changes.reset, ({ name }) => name);
  const jobs = merged(known.jobs, changes.jobs, changes.gone_jobs, changes.reset, ({ id }) => id);
  return {
    version,
    models: models.toSorted((a, b) => b.modified - a.modified),
    jobs: jobs.toSorted((a, b) => b.created - a.created),
    machine: changes.machine ?? known.machine,
  };
}

function merged<Row>(
  known: readonly Row[],
  fresh: readonly Row[],
  gone: readonly string[],
  reset: boolean,
  key: (row: Row) => string,
): Row[] {
  if (reset) return [...fresh];
  const rows = new Map(known.map((row) => [key(row), row]));
  for (const row of fresh) rows.set(key(row), row);
  for (const id of gone) rows.delete(id);
  return [...rows.values()];
}

/** Whether a job is not over. */
export const goesOn = ({ state }: Pick<Job, "state">): boolean => state === "running" || state === "waiting";
