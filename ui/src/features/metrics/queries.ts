import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, fetchJson, type Schemas, unwrap } from "@/api/client";
import { useFeed } from "@/api/followed";
import { type History, RANGES, type Range, withEvent } from "./points";

const history = (resolution: 1 | 10 | 60) =>
  queryOptions({
    queryKey: ["metrics", resolution],
    queryFn: ({ signal }): Promise<History> =>
      unwrap(api.GET("/api/ui/metrics", { params: { query: { resolution } }, signal })),
    // From then on the feed tells what is new.
    staleTime: 0,
    refetchOnWindowFocus: false,
  });

const lastPoint = (known: History | undefined) => (known === undefined ? undefined : String(known.last));

/** Returns the history of a range, and keeps it up with the server. */
export function useMetrics(range: Range) {
  const { resolution } = RANGES[range];
  const query = useQuery(history(resolution));
  const fetched = query.dataUpdatedAt > 0;
  const { state } = useFeed<History>({
    key: ["metrics", resolution],
    path: fetched ? `/api/ui/metrics/events?resolution=${resolution}` : undefined,
    reduce: withEvent,
    after: lastPoint,
  });
  return { ...query, state };
}

const actors = queryOptions({
  queryKey: ["actors"],
  queryFn: ({ signal }): Promise<Schemas["ActorList"]> => unwrap(api.GET("/api/ui/actors", { signal })),
  refetchInterval: 2_000,
});

export const useActors = () => useQuery(actors);

/** Kills the executor of an engine, in developer mode. */
export function useKillExecutor() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (engine: string) =>
      fetchJson<Schemas["KilledExecutor"]>(`/api/ui/actors/executor/kill?engine=${encodeURIComponent(engine)}`, {}),
    onSettled: () => client.invalidateQueries({ queryKey: actors.queryKey }),
  });
}
