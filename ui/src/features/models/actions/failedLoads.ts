import { type QueryClient, useMutationState } from "@tanstack/react-query";
import type { LoadedState } from "../library";

/** The loads of a model that were asked for in this tab. */
export const loadsOf = (model: string) => ["load", model] as const;

/** Returns why the last load of `model` failed, or null where it did not, or something else became of it since. The
 * server remembers that of models that it was to serve from its start; of others the tab that asked for it does. */
export function useFailedLoad(model: string, loaded: LoadedState | null): string | null {
  const here = useMutationState({ filters: { mutationKey: loadsOf(model) }, select: ({ state }) => state }).at(-1);
  if (loaded !== null) return loaded.state === "failed" ? loaded.error : null;
  return here?.status === "error" ? (here.error?.message ?? null) : null;
}

/** Forgets what failed of a model that is being loaded again, by whomever. */
export function forgetFailedLoads(client: QueryClient, model: string): void {
  const loads = client.getMutationCache();
  for (const load of loads.findAll({ mutationKey: loadsOf(model), status: "error" })) loads.remove(load);
}
