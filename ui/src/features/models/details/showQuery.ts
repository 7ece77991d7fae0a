import { queryOptions } from "@tanstack/react-query";
import { fetchJson } from "@/api/client";

/** What `/api/show` tells of a model. */
export interface Shown {
  license: string;
  modelfile: string;
  parameters: string;
  template: string;
  system: string;
  model_info: Record<string, unknown>;
}

/** Everything known of a model; `digest` changes with what it answers with. */
export const showQuery = (model: string, digest: string) =>
  queryOptions({
    queryKey: ["show", model, digest],
    queryFn: ({ signal }) => fetchJson<Shown>("/api/show", { model }, { signal }),
    staleTime: 60_000,
  });
