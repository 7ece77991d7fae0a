import { Button } from "@/components/Button";
import { useFailedLoad } from "@/features/models/actions/failedLoads";
import { useModelActions } from "@/features/models/actions/useModelActions";
import type { LoadedState } from "@/features/models/library";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";

/** Loads a model again whose load has failed: what was in the way, such as too little memory, may be gone. */
export function RetryLoad({ model, loaded }: { model: string; loaded: LoadedState | null }) {
  const { retry } = useTexts(commonTexts);
  const { load } = useModelActions(model);
  const failure = useFailedLoad(model, loaded);
  if (failure === null && !load.isPending) return null;
  return (
    <Button
      size="small"
      className="mb-1.5 ml-8"
      aria-label={`${retry}: ${model}`}
      busy={load.isPending}
      onClick={() => load.mutate({})}
    >
      {retry}
    </Button>
  );
}
