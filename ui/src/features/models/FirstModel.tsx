import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { serverHealth, titleOf } from "@/api/models";
import { ProgressBar } from "@/components/ProgressBar";
import { useServerWords } from "@/i18n/server/serverWords";
import { defineTexts, useTexts } from "@/i18n/texts";

const firstModelTexts = defineTexts({
  en: {
    coming: (model: string) => `${model} is on its way. You can chat as soon as it is here.`,
    progress: (model: string) => `How much of ${model} is here`,
  },
  de: {
    coming: (model: string) => `${model} wird geholt. Sobald es da ist, können Sie chatten.`,
    progress: (model: string) => `Wie viel von ${model} da ist`,
  },
});

/** Stands where there is no model: how far the one is that the server fetches at its first start, or `otherwise`. */
export function FirstModel({ otherwise }: { otherwise: ReactNode }) {
  const texts = useTexts(firstModelTexts);
  const words = useServerWords();
  const client = useQueryClient();
  const { data, isPending } = useQuery(serverHealth);
  const model = data?.status === "loading" ? (data.model ?? "") : "";
  useEffect(() => {
    if (model === "") return;
    return () => void client.invalidateQueries({ queryKey: ["models"] });
  }, [client, model]);
  if (isPending) return null;
  if (model === "") return otherwise;
  const { stage = "", progress = 0 } = data ?? {};
  return (
    <div className="mx-auto flex max-w-md flex-col gap-2 px-4 py-6 text-center">
      <p role="status">{texts.coming(titleOf(model))}</p>
      <ProgressBar label={texts.progress(titleOf(model))} value={progress > 0 ? progress : null} />
      <p className="text-sm wrap-anywhere text-muted">{words(stage)}</p>
    </div>
  );
}
