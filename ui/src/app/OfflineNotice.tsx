import { useQuery } from "@tanstack/react-query";
import { WifiOff } from "lucide-react";
import { useTexts } from "@/i18n/texts";
import { shellTexts } from "./texts";

/** Asks the server now and then whether it is there, more often while it is not. */
function useServerUp(): boolean {
  const { data } = useQuery({
    queryKey: ["server-up"],
    queryFn: ({ signal }) =>
      // 503 while a model loads is an answer, too.
      fetch("/health", { signal, cache: "no-store" }).then(
        () => true,
        () => false,
      ),
    refetchInterval: ({ state }) => (state.data === false ? 2_000 : 15_000),
    networkMode: "always",
    retry: false,
  });
  return data !== false;
}

/** Says so while the server can't be reached. */
export function OfflineNotice() {
  const texts = useTexts(shellTexts);
  if (useServerUp()) return null;
  return (
    <p role="status" className="flex items-center gap-2 bg-warning-soft py-2 pr-4 pl-14 text-warning">
      <WifiOff aria-hidden className="size-4 shrink-0" />
      {texts.offline}
    </p>
  );
}
