import { useTexts } from "@/i18n/texts";
import type { ConversionChoice } from "./choices";
import { convertTexts } from "./texts";

/** The matrices that can't have the type that is chosen, and what they become; nothing where all can. */
export function Fallbacks({ choice }: { choice: ConversionChoice }) {
  const texts = useTexts(convertTexts);
  if (choice.fallbacks.length === 0) return null;
  return (
    <div className="text-sm text-muted">
      <p>{texts.fallbacks}</p>
      <ul className="flex flex-wrap gap-x-3">
        {choice.fallbacks.map(({ type, instead, tensors }) => (
          <li key={`${type} ${instead}`}>{texts.fallback(tensors, type, instead)}</li>
        ))}
      </ul>
    </div>
  );
}
