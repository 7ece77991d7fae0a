import { Button } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { actionTexts } from "../actions/texts";
import { useModelActions } from "../actions/useModelActions";
import { isAdapter } from "../facts";
import type { Model } from "../library";

/** Loads a model that is not, and unloads one that is. */
export function LoadButton({ model, className }: { model: Model; className?: string }) {
  const texts = useTexts(actionTexts);
  const { load, unload } = useModelActions(model.name);
  if (isAdapter(model) || model.unusable !== "") return null;
  const state = model.loaded?.state;
  const isLoaded = state === "ready" || state === "restarting";
  return (
    <Button
      size="small"
      className={className}
      busy={load.isPending || unload.isPending || state === "loading" || state === "stopping"}
      aria-label={`${isLoaded ? texts.unload : texts.load} ${model.name}`}
      onClick={() => (isLoaded ? unload.mutate() : load.mutate({}))}
    >
      {isLoaded ? texts.unload : texts.load}
    </Button>
  );
}
