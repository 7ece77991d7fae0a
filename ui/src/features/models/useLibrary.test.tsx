import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import type { StreamOptions } from "@/api/events";
import { useLibrary } from "./library";

const stream = vi.hoisted(() => ({ options: undefined as StreamOptions | undefined }));
vi.mock("@/api/events", () => ({
  followEvents: (_: string, options: StreamOptions) => {
    stream.options = options;
    return () => {};
  },
}));

const loading = (progress: number) => ({ name: "tiny", modified: 1, loaded: { state: "loading", progress } });

test("other lists of models are read again as a load begins or ends, and not for each step of it", async () => {
  const first = { version: "a.1", models: [{ ...loading(0), loaded: null }], jobs: [], machine: null };
  vi.stubGlobal("fetch", async () => Response.json(first));
  const client = new QueryClient();
  const invalidate = vi.spyOn(client, "invalidateQueries");
  const { result } = renderHook(() => useLibrary(), {
    wrapper: ({ children }: { children: ReactNode }) => (
      <QueryClientProvider client={client}>{children}</QueryClientProvider>
    ),
  });
  await waitFor(() => expect(stream.options).toBeDefined());
  const tell = (model: object) => {
    const changes = { reset: false, models: [model], jobs: [], gone_models: [], gone_jobs: [], machine: null };
    act(() => stream.options?.onEvent({ name: "library", data: JSON.stringify(changes), id: "a.2" }));
  };
  for (const progress of [0.1, 0.2, 0.3]) tell(loading(progress));
  await waitFor(() => expect(result.current.data?.models[0]?.loaded?.progress).toBe(0.3));
  expect(invalidate).toHaveBeenCalledOnce();
  tell({ ...loading(1), loaded: { state: "ready", progress: 1 } });
  expect(invalidate).toHaveBeenCalledTimes(2);
  vi.unstubAllGlobals();
});
