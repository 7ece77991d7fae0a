import { Pin } from "lucide-react";
import { Badge, type Tone } from "@/components/Badge";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { useFailedLoad } from "../actions/failedLoads";
import { isAdapter } from "../facts";
import type { LoadedState, Model } from "../library";
import { useNow } from "../useNow";
import { clock, secondsLeft } from "./countdown";
import { LoadProgress } from "./LoadProgress";
import { stateTexts } from "./texts";

/** Whether a model is loaded, how far its load is, and when it unloads. `LoadFailure` says why one failed. */
export function ModelState({ model }: { model: Model }) {
  const texts = useTexts(stateTexts);
  const words = useServerWords();
  const { loaded } = model;
  const failure = useFailedLoad(model.name, loaded);
  if (isAdapter(model)) {
    const fits = model.fits.length > 0 ? texts.adapterFor(model.fits.join(", ")) : texts.adapterForNone;
    return <span className="text-sm text-muted">{fits}</span>;
  }
  if (model.unusable !== "")
    return (
      <span title={texts.unusableWhy(words(model.unusable))}>
        <Badge tone="warning">{texts.unusable}</Badge>
      </span>
    );
  if (failure !== null) return <Badge tone="danger">{texts.failed}</Badge>;
  if (loaded === null) return <span className="text-sm text-muted">{texts.notLoaded}</span>;
  return <EngineState loaded={loaded} name={model.name} />;
}

function EngineState({ loaded, name }: { loaded: LoadedState; name: string }) {
  const texts = useTexts(stateTexts);
  const { state } = loaded;
  if (state === "loading") return <LoadProgress loaded={loaded} name={name} />;
  const badges: Record<string, [string, Tone]> = {
    ready: [texts.ready, "success"],
    restarting: [texts.restarting, "warning"],
    stopping: [texts.stopping, "neutral"],
  };
  const [word, tone] = badges[state] ?? [state, "neutral"];
  return (
    <div className="flex flex-col items-start gap-0.5">
      <Badge tone={tone}>{word}</Badge>
      {state === "ready" && <Expiry loaded={loaded} />}
    </div>
  );
}

function Expiry({ loaded }: { loaded: LoadedState }) {
  const texts = useTexts(stateTexts);
  const now = useNow(!loaded.pinned && loaded.expires !== null);
  if (loaded.pinned)
    return (
      <span className="flex items-center gap-1 text-sm text-muted">
        <Pin aria-hidden className="size-3.5" />
        {texts.pinned}
      </span>
    );
  const left = secondsLeft(loaded, now);
  const said = left === null ? texts.stays : texts.unloadsIn(clock(left));
  return <span className="text-sm whitespace-nowrap text-muted tabular-nums">{said}</span>;
}
