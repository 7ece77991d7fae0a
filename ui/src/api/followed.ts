import { type QueryKey, skipToken, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { ApiError } from "./errors";
import { followEvents, type ServerEvent, type StreamState } from "./events";

export interface Followed<T> {
  /** Undefined until the first event. */
  data: T | undefined;
  state: StreamState;
  error: ApiError | undefined;
}

export interface FollowedOptions<T> {
  key: QueryKey;
  /** Where the events are; undefined where nothing is to be followed yet. */
  path: string | undefined;
  /** What becomes of the data with an event; a function of the module, not of a component. */
  reduce: (data: T | undefined, event: ServerEvent) => T | undefined;
  /** After which event to begin, of what is known already; a function of the module as well. */
  after?: (data: T | undefined) => string | undefined;
}

/** Follows a feed for as long as a component is shown, and puts what it tells into the query cache under `key`. */
export function useFeed<T>({ key, path, reduce, after }: FollowedOptions<T>): Omit<Followed<T>, "data"> {
  const client = useQueryClient();
  const [status, setStatus] = useState<Omit<Followed<T>, "data">>({ state: "connecting", error: undefined });
  const name = JSON.stringify(key);
  useEffect(() => {
    if (path === undefined) return;
    const queryKey = JSON.parse(name) as QueryKey;
    const lastEventId = after?.(client.getQueryData<T>(queryKey));
    return followEvents(path, {
      onEvent: (event) => client.setQueryData<T>(queryKey, (known) => reduce(known, event)),
      onState: (state, error) => setStatus({ state, error }),
      ...(lastEventId === undefined ? {} : { lastEventId }),
    });
  }, [client, name, path, reduce, after]);
  return status;
}

/** Follows a feed that tells everything by itself, and returns what it has told. */
export function useFollowed<T>(options: FollowedOptions<T>): Followed<T> {
  const status = useFeed(options);
  const { data } = useQuery<T>({
    queryKey: options.key,
    queryFn: skipToken,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  return { data, ...status };
}
