import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";
import { LEVELS, type Level, type LogFilter } from "./lines";

export type LogsSearch = Partial<LogFilter>;

/** Returns what of a filter is worth saying in an address. */
export const searchOf = ({ level, logger, text }: LogFilter): LogsSearch => ({
  ...(level === "debug" ? {} : { level }),
  ...(logger === "" ? {} : { logger }),
  ...(text === "" ? {} : { text }),
});

export const logsRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/logs",
    validateSearch: ({ level, logger, text }: Record<string, unknown>): LogsSearch =>
      searchOf({
        level: LEVELS.includes(level as Level) ? (level as Level) : "debug",
        logger: typeof logger === "string" ? logger : "",
        text: typeof text === "string" ? text : "",
      }),
    component: lazyRouteComponent(() => import("./LogsPage"), "LogsPage"),
  }),
] as const;
