import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";

export type ServerSetup = Schemas["ServerSetup"];
export type ShownSetting = Schemas["ShownSetting"];

/** What the server is and how it is set up. Memory changes, the rest only with a restart. */
export const serverSetup = queryOptions({
  queryKey: ["settings"],
  queryFn: ({ signal }): Promise<ServerSetup> => unwrap(api.GET("/api/ui/settings", { signal })),
  refetchInterval: 10_000,
});
