import { ProgressBar } from "@/components/ProgressBar";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import type { LoadedState } from "../library";
import { stateTexts } from "./texts";

/** How far the load of a model is, and with what it is at work. */
export function LoadProgress({ loaded: { stage, progress }, name }: { loaded: LoadedState; name: string }) {
  const texts = useTexts(stateTexts);
  const words = useServerWords();
  const known = progress > 0 && progress < 1 ? progress : null;
  return (
    <div className="flex max-w-48 min-w-32 flex-col gap-1">
      <span className="text-sm text-muted">{stage === "" ? texts.loading : texts.loadingStage(words(stage))}</span>
      <ProgressBar label={`${texts.loading}: ${name}`} value={known} />
    </div>
  );
}
