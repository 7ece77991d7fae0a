import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, fetchApi, unwrap } from "@/api/client";
import { useToast } from "@/components/Toast";
import { useTexts } from "@/i18n/texts";
import { loadsOf } from "./failedLoads";
import { actionTexts } from "./texts";

interface LoadOptions {
  /** As Ollama has it: `5m`, or -1 for ever. */
  keepAlive?: string | number;
  pin?: boolean;
}

/** What can be done with an installed model at once. What the server refuses is shown in its own words. */
export function useModelActions(name: string) {
  const texts = useTexts(actionTexts);
  const toast = useToast();
  const client = useQueryClient();
  const onError = (error: Error) => toast({ text: error.message, tone: "danger" });
  const load = useMutation({
    mutationKey: loadsOf(name),
    gcTime: Number.POSITIVE_INFINITY,
    mutationFn: ({ keepAlive, pin }: LoadOptions) => {
      const body = {
        model: name,
        ...(keepAlive === undefined ? {} : { keep_alive: keepAlive }),
        ...(pin === undefined ? {} : { pin }),
      };
      return unwrap(api.POST("/api/ui/models/load", { body }));
    },
    onError,
  });
  const unload = useMutation({
    mutationFn: () => unwrap(api.POST("/api/ui/models/unload", { body: { model: name } })),
    onSuccess: () => toast({ text: texts.unloading(name) }),
    onError,
  });
  const remove = useMutation({
    mutationFn: () => fetchApi("/api/delete", { method: "DELETE", body: JSON.stringify({ model: name }) }),
    onSuccess: () => {
      toast({ text: texts.removed(name) });
      void client.invalidateQueries({ queryKey: ["stores"] });
    },
    onError,
  });
  return { load, unload, remove };
}
