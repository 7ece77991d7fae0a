import { sentence } from "@/i18n/sentence";
import { useServerWords } from "@/i18n/server/serverWords";
import { useFailedLoad } from "../actions/failedLoads";
import type { Model } from "../library";

/** Why the load of a model failed, where there is room for it; nothing where it did not. */
export function LoadFailure({ model: { name, loaded } }: { model: Model }) {
  const words = useServerWords();
  const failure = useFailedLoad(name, loaded);
  if (failure === null) return null;
  return <p className="mt-1 text-sm text-danger wrap-anywhere">{sentence(words(failure))}</p>;
}
