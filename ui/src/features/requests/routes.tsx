import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";

export const requestsRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/requests",
    component: lazyRouteComponent(() => import("./RequestsPage"), "RequestsPage"),
  }),
] as const;
