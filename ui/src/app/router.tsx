import type { QueryClient } from "@tanstack/react-query";
import { createRouter } from "@tanstack/react-router";
import { Spinner } from "@/components/Spinner";
import { chatRoutes } from "@/features/chat/routes";
import { logsRoutes } from "@/features/logs/routes";
import { metricsRoutes } from "@/features/metrics/routes";
import { modelsRoutes } from "@/features/models/routes";
import { playgroundRoutes } from "@/features/playground/routes";
import { requestsRoutes } from "@/features/requests/routes";
import { settingsRoutes } from "@/features/settings/routes";
import { ErrorPage } from "./ErrorBoundary";
import { rootRoute } from "./rootRoute";

const routeTree = rootRoute.addChildren([
  ...chatRoutes,
  ...modelsRoutes,
  ...playgroundRoutes,
  ...metricsRoutes,
  ...requestsRoutes,
  ...logsRoutes,
  ...settingsRoutes,
]);

export const makeRouter = (client: QueryClient) =>
  createRouter({
    routeTree,
    context: { client },
    defaultPreload: "intent",
    defaultErrorComponent: ErrorPage,
    defaultPendingComponent: () => (
      <div className="flex h-full items-center justify-center text-muted">
        <Spinner />
      </div>
    ),
  });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
