import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type InstalledModel, installedModels, loadedModels } from "@/api/models";

export type Capability = "completion" | "embedding" | "rerank";

/**
 * The model that a tool asks, kept in the URL: the chosen one if it has one of `capabilities`, else one that does,
 * those in memory first.
 */
export function useModel(capabilities: readonly Capability[]) {
  const search = useSearch({ from: "/ui/playground" });
  const navigate = useNavigate({ from: "/ui/playground" });
  const installed = useQuery(installedModels);
  const loaded = useQuery(loadedModels);
  const able = (installed.data ?? []).filter((model) => isAble(model, capabilities));
  const ready = able.find((model) => loaded.data?.some(({ name }) => name === model.name));
  const chosen = able.find(({ name }) => name === search.model) ?? ready ?? able[0];
  return {
    model: chosen?.name ?? null,
    models: able.map(({ name }) => name),
    isPending: installed.isPending,
    error: installed.error,
    choose: (model: string) => void navigate({ search: (before) => ({ ...before, model }), replace: true }),
  };
}

const isAble = (model: InstalledModel, capabilities: readonly Capability[]): boolean =>
  capabilities.some((each) => model.capabilities.includes(each));
