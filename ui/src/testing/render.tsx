import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterProvider,
} from "@tanstack/react-router";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { CommandProvider } from "@/app/commands";
import { ToastProvider } from "@/components/Toast";

/** Renders `children` with everything that the app puts around a page, at the address `path`. */
export function renderPage(children: ReactNode, path = "/") {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const root = createRootRoute({
    component: () => (
      <ToastProvider>
        <CommandProvider>{children}</CommandProvider>
      </ToastProvider>
    ),
  });
  const any = createRoute({ getParentRoute: () => root, path: "$" });
  const router = createRouter({
    routeTree: root.addChildren([any]),
    history: createMemoryHistory({ initialEntries: [path] }),
  });
  const rendered = render(
    <QueryClientProvider client={client}>
      {/* Not the app's router, by whose type the rest is checked. */}
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  return { ...rendered, client, router };
}
