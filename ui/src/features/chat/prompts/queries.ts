import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";

export type SavedPrompt = Schemas["SavedPrompt"];

export const savedPrompts = queryOptions({
  queryKey: ["prompts"],
  queryFn: async ({ signal }) => (await unwrap(api.GET("/api/ui/prompts", { signal }))).prompts,
});

/** Adds a prompt, or replaces the one of that id. */
export const savePrompt = ({
  id,
  ...body
}: Schemas["SavePrompt"] & { id?: string | undefined }): Promise<SavedPrompt> =>
  id === undefined
    ? unwrap(api.POST("/api/ui/prompts", { body }))
    : unwrap(api.PUT("/api/ui/prompts/{prompt}", { params: { path: { prompt: id } }, body }));

export const deletePrompt = (prompt: string) =>
  unwrap(api.DELETE("/api/ui/prompts/{prompt}", { params: { path: { prompt } } }));
