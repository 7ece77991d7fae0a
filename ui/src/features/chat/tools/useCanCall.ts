import { useQuery } from "@tanstack/react-query";
import { installedModels } from "@/api/models";

/** Returns whether a model was made to call tools, for each; undefined while that is not known. */
export function useCanCall(): (model: string | null) => boolean | undefined {
  const { data } = useQuery(installedModels);
  return (model) => data?.find(({ name }) => name === model)?.capabilities.includes("tools");
}
