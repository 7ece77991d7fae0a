import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";

export const logsRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/logs",
    component: lazyRouteComponent(() => import("./LogsPage"), "LogsPage"),
  }),
] as const;
