import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { rootRoute } from "@/app/rootRoute";
import type { Show } from "./timeline";

export interface RequestsSearch {
  /** Which request is looked at. */
  id?: number;
  show?: Exclude<Show, "all">;
  text?: string;
}

const SHOWS: readonly unknown[] = ["open", "finished", "failed", "cancelled"];

export const requestsRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: "/ui/requests",
    validateSearch: ({ id, show, text }: Record<string, unknown>): RequestsSearch => ({
      ...(typeof id === "number" ? { id } : {}),
      ...(SHOWS.includes(show) ? { show: show as Exclude<Show, "all"> } : {}),
      ...(typeof text === "string" && text !== "" ? { text } : {}),
    }),
    component: lazyRouteComponent(() => import("./RequestsPage"), "RequestsPage"),
  }),
] as const;
