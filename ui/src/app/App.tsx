import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import { makeQueryClient } from "@/api/query";
import { ToastProvider } from "@/components/Toast";
import { TooltipLayer } from "@/components/Tooltip";
import { CommandProvider } from "./commands";
import { ErrorBoundary } from "./ErrorBoundary";
import { makeRouter } from "./router";

/** Everything that pages find around them. */
export function App() {
  const [client] = useState(makeQueryClient);
  const [router] = useState(() => makeRouter(client));
  return (
    <ErrorBoundary>
      <QueryClientProvider client={client}>
        <ToastProvider>
          <CommandProvider>
            <RouterProvider router={router} />
          </CommandProvider>
        </ToastProvider>
        <TooltipLayer />
      </QueryClientProvider>
    </ErrorBoundary>
  );
}
