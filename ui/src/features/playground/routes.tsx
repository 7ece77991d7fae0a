import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";

export const playgroundRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/playground",
    component: lazyRouteComponent(() => import("./PlaygroundPage"), "PlaygroundPage"),
  }),
] as const;
