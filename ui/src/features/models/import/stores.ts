import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";

export type StoreModel = Required<Schemas["StoreModel"]>;

/** What other tools keep on the server's machine: asked for when somebody wants to see it, since folders are read. */
export const storesQuery = queryOptions({
  queryKey: ["stores"],
  queryFn: async ({ signal }) => {
    const { stores } = await unwrap(api.GET("/api/ui/models", { params: { query: { stores: true } }, signal }));
    return { models: (stores?.models ?? []) as StoreModel[], problems: stores?.problems ?? [] };
  },
  staleTime: 10_000,
});

/** Models by the tool that has them, in the order in which they come. */
export function byTool(models: readonly StoreModel[]): [string, StoreModel[]][] {
  const tools = new Map<string, StoreModel[]>();
  for (const model of models) tools.set(model.tool, [...(tools.get(model.tool) ?? []), model]);
  return [...tools];
}

/** Whether a model can be chosen: it runs, and is not here already. */
export const canImport = (model: StoreModel): boolean => model.runs && model.imported === "";
