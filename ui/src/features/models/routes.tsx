import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";

export interface ModelsSearch {
  /** The model whose details are shown. */
  model?: string;
  /** What names contain. */
  q?: string;
  sort?: string;
  show?: string;
  /** A name to pull, as other pages link to it; empty for none yet. */
  pull?: string;
}

const KEYS = ["model", "q", "sort", "show", "pull"] as const;

const validateSearch = (search: Record<string, unknown>): ModelsSearch =>
  Object.fromEntries(KEYS.filter((key) => typeof search[key] === "string").map((key) => [key, search[key]]));

export const modelsRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/models",
    validateSearch,
    component: lazyRouteComponent(() => import("./ModelsPage"), "ModelsPage"),
  }),
] as const;
