import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";

export type ModelParameters = Schemas["ModelParameters"];

/** What answers of `model` are made with where a chat says nothing else. */
export const modelParameters = (model: string) =>
  queryOptions({
    queryKey: ["models", "parameters", model],
    queryFn: ({ signal }) => unwrap(api.GET("/api/ui/parameters", { params: { query: { model } }, signal })),
    staleTime: 30_000,
  });

export type Preset = Schemas["Preset"];

export const presets = queryOptions({
  queryKey: ["presets"],
  queryFn: async ({ signal }) => (await unwrap(api.GET("/api/ui/presets", { signal }))).presets,
});

/** Adds a preset, or replaces the one of that id. */
export const savePreset = ({ id, ...body }: Schemas["SavePreset"] & { id?: string | undefined }): Promise<Preset> =>
  id === undefined
    ? unwrap(api.POST("/api/ui/presets", { body }))
    : unwrap(api.PUT("/api/ui/presets/{preset}", { params: { path: { preset: id } }, body }));

export const deletePreset = (preset: string) =>
  unwrap(api.DELETE("/api/ui/presets/{preset}", { params: { path: { preset } } }));
