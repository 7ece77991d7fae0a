import { queryOptions, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, unwrap } from "@/api/client";
import { useFollowed } from "@/api/followed";
import { feedOf, type LogFilter, type LogLine, withLine } from "./lines";

/** Follows the lines that a filter lets through; another filter begins anew. */
export const useLogLines = (filter: LogFilter) =>
  useFollowed<LogLine[]>({ key: ["logs", "lines", feedOf(filter)], path: feedOf(filter), reduce: withLine });

const loggers = queryOptions({
  queryKey: ["logs", "loggers"],
  queryFn: async ({ signal }) =>
    (await unwrap(api.GET("/api/ui/logs", { params: { query: { limit: 1 } }, signal }))).loggers,
  refetchInterval: 10_000,
});

/** Returns the names of the parts of the server that have written something. */
export const useLoggers = () => useQuery(loggers);

/** Returns `value` once it has not changed for `ms`: what is typed is looked for when it is typed. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
