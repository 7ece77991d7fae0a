import { queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/api/client";
import type { ConversionEstimate } from "./choices";

/** What a model would become in each type of a format. */
export const conversionQuery = (model: string, format: ConversionEstimate["format"]) =>
  queryOptions({
    queryKey: ["conversion", model, format],
    queryFn: async ({ signal }): Promise<ConversionEstimate> => {
      const made = await unwrap(api.POST("/api/ui/models/conversions", { body: { model, format }, signal }));
      return made as ConversionEstimate;
    },
    staleTime: 60_000,
  });
