import { useFailedLoad } from "@/features/models/actions/failedLoads";
import type { LoadedState } from "@/features/models/library";
import { LoadProgress } from "@/features/models/list/LoadProgress";
import { stateTexts } from "@/features/models/list/texts";
import { sentence } from "@/i18n/sentence";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { FitLine } from "./FitLine";

/** Where the load of a model stands; of one that is not loaded, whether it would fit. One that is ready says nothing. */
export function LoadLine({ model, loaded }: { model: string; loaded: LoadedState | null }) {
  const texts = useTexts(stateTexts);
  const words = useServerWords();
  const failure = useFailedLoad(model, loaded);
  if (failure !== null)
    return (
      <span className="block text-sm wrap-anywhere text-danger">
        {texts.failed}: {sentence(words(failure))}
      </span>
    );
  if (loaded === null) return <FitLine model={model} />;
  switch (loaded.state) {
    case "ready":
      return null;
    case "loading":
      return <LoadProgress loaded={loaded} name={model} />;
    default:
      return (
        <span className="block text-sm text-muted">
          {loaded.state === "restarting" ? texts.restarting : texts.stopping}
        </span>
      );
  }
}
