import { useQuery } from "@tanstack/react-query";
import { WifiOff } from "lucide-react";
import { useTexts } from "@/i18n/texts";
import { shellTexts } from "./texts";

/** A machine that is away refuses nothing: it does not answer. A busy one takes its time. */
const LATE_MS = 20_000;

/** Tells whether the server answers; 503 while a model loads is an answer, too. */
async function answers(signal: AbortSignal): Promise<boolean> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), LATE_MS);
  try {
    await fetch("/health", { signal: AbortSignal.any([signal, late.signal]), cache: "no-store" });
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** Asks the server now and then whether it is there, more often while it is not. */
function useServerUp(): boolean {
  const { data } = useQuery({
    queryKey: ["server-up"],
    queryFn: ({ signal }) => answers(signal),
    refetchInterval: ({ state }) => (state.data === false ? 2_000 : 15_000),
    networkMode: "always",
    retry: false,
  });
  return data !== false;
}

/** Says so while the server can't be reached. */
export function OfflineNotice() {
  const texts = useTexts(shellTexts);
  const isUp = useServerUp();
  // What is said must stand in an element that was there before, or it is not read out.
  return (
    <div role="status">
      {!isUp && (
        <p className="flex items-center gap-2 bg-warning-soft py-2 pr-4 pl-14 text-warning">
          <WifiOff aria-hidden className="size-4 shrink-0" />
          {texts.offline}
        </p>
      )}
    </div>
  );
}
