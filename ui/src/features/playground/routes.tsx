import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";

/** Which tool is shown, and the model that it asks. */
const validateSearch = ({ tool, model }: Record<string, unknown>): { tool?: string; model?: string } => ({
  ...(typeof tool === "string" ? { tool } : {}),
  ...(typeof model === "string" ? { model } : {}),
});

export const playgroundRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/playground",
    validateSearch,
    component: lazyRouteComponent(() => import("./PlaygroundPage"), "PlaygroundPage"),
  }),
] as const;
