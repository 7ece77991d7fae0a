import { Badge, type Tone } from "@/components/Badge";
import { useTexts } from "@/i18n/texts";
import { type RequestsTexts, requestsTexts } from "./texts";

const TONES: Record<string, Tone> = { finished: "success", failed: "danger", cancelled: "warning" };

/** Where a request stands. */
export function StateBadge({ state }: { state: string }) {
  const texts = useTexts(requestsTexts).states;
  return <Badge tone={TONES[state] ?? "accent"}>{texts[state as keyof RequestsTexts["states"]] ?? state}</Badge>;
}
