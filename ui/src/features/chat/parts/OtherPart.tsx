import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import type { PartProps } from "./registry";

/** Shows a part of a kind that this page does not know, as it is kept. */
export function OtherPart({ part }: PartProps<"other">) {
  const texts = useTexts(chatTexts);
  return (
    <details className="my-1 rounded-md border border-line px-3 py-1.5 text-sm text-muted">
      <summary>{texts.otherPart(part.type)}</summary>
      <pre className="mt-2 overflow-x-auto font-mono text-xs">{JSON.stringify(part.value, null, 2)}</pre>
    </details>
  );
}
