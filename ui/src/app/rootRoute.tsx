import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext } from "@tanstack/react-router";
import { ErrorPage, NotFoundPage } from "./ErrorBoundary";
import { Shell } from "./Shell";

/** The route that all others are children of: the shell with the page in it. */
export const rootRoute = createRootRouteWithContext<{ client: QueryClient }>()({
  component: Shell,
  notFoundComponent: NotFoundPage,
  errorComponent: ErrorPage,
});
