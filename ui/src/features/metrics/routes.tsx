import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";

export const metricsRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/metrics",
    component: lazyRouteComponent(() => import("./MetricsPage"), "MetricsPage"),
  }),
] as const;
