import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";
import type { Range } from "./points";

export interface MetricsSearch {
  /** 10 minutes where nothing is said. */
  range?: Exclude<Range, "10m">;
}

export const metricsRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/metrics",
    validateSearch: ({ range }: Record<string, unknown>): MetricsSearch =>
      range === "2h" || range === "24h" ? { range } : {},
    component: lazyRouteComponent(() => import("./MetricsPage"), "MetricsPage"),
  }),
] as const;
