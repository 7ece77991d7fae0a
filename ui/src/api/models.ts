import { queryOptions } from "@tanstack/react-query";
import { api, fetchJson, type Schemas, unwrap } from "./client";

/** A model that is installed, as `/api/tags` lists it. */
export interface InstalledModel {
  name: string;
  size: number;
  digest: string;
  modified_at: string;
  details: { format: string; family: string; parameter_size: string; quantization_level: string };
  capabilities: readonly string[];
}

/** A model that is in memory, as `/api/ps` lists it. */
export interface LoadedModel {
  name: string;
  size: number;
  expires_at: string;
  context_length: number;
  pinned: boolean;
}

/** The name that people use: without the tag that is meant where none is said. */
export const shortName = (name: string): string => name.replace(/:latest$/, "");

/** What a model is called where there is little room: one that is a file by the last part of its path. */
export const titleOf = (name: string): string => (name.startsWith("/") ? name.split("/").at(-1) || name : name);

export const installedModels = queryOptions({
  queryKey: ["models", "installed"],
  queryFn: async ({ signal }) => {
    const { models } = await fetchJson<{ models: InstalledModel[] }>("/api/tags", undefined, { signal });
    return models.map((model) => ({ ...model, name: shortName(model.name) }));
  },
});

export const loadedModels = queryOptions({
  queryKey: ["models", "loaded"],
  queryFn: async ({ signal }) => {
    const { models } = await fetchJson<{ models: LoadedModel[] }>("/api/ps", undefined, { signal });
    return models.map((model) => ({ ...model, name: shortName(model.name) }));
  },
  refetchInterval: 5_000,
});

/** How the server is: while its first model comes, how far that is. */
export const serverHealth = queryOptions({
  queryKey: ["health"],
  // 503 while a model loads is an answer, too, and says which.
  queryFn: async ({ signal }) =>
    (await (await fetch("/health", { signal, cache: "no-store" })).json()) as Schemas["Health"],
  refetchInterval: 1_000,
  retry: false,
});

/** What running `model` takes here, and whether it fits. */
export const modelEstimate = (model: string) =>
  queryOptions({
    queryKey: ["models", "estimate", model],
    queryFn: ({ signal }): Promise<Schemas["Estimate"]> =>
      unwrap(api.POST("/api/estimate", { body: { model }, signal })),
    staleTime: 60_000,
  });
