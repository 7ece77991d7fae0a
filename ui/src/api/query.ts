import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "./errors";

/** Makes the cache of what the server has told. What the server refuses is not asked again; what is down is, twice. */
export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        // The server is on this machine or near it: that there is no Internet says nothing.
        networkMode: "always",
        retry: (failures, error) =>
          failures < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
      },
      mutations: { retry: false, networkMode: "always" },
    },
  });
}
