import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";

export const modelsRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/models",
    component: lazyRouteComponent(() => import("./ModelsPage"), "ModelsPage"),
  }),
] as const;
