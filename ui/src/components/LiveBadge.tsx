import type { StreamState } from "@/api/events";
import { defineTexts, useTexts } from "@/i18n/texts";
import { classes } from "./classes";

const texts = defineTexts({
  en: { open: "Live", connecting: "Connecting", waiting: "Reconnecting", closed: "Stopped", paused: "Paused" },
  de: { open: "Live", connecting: "Verbindet", waiting: "Verbindet neu", closed: "Beendet", paused: "Angehalten" },
});

/** Says whether what is shown moves with the server. */
export function LiveBadge({ state }: { state: StreamState | "paused" }) {
  const words = useTexts(texts);
  return (
    <span role="status" className="inline-flex items-center gap-1.5 text-sm text-muted">
      <span
        aria-hidden
        className={classes("size-2 rounded-full", state === "open" ? "bg-success" : "border border-line-strong")}
      />
      {/* On a phone the dot says it, as long as all is well. */}
      <span className={classes(state === "open" && "max-sm:sr-only")}>{words[state]}</span>
    </span>
  );
}
