import { useQuery } from "@tanstack/react-query";
import { modelEstimate } from "@/api/models";
import { useFormat } from "@/i18n/format";
import { sentence } from "@/i18n/sentence";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";

/** Whether a model fits into the memory there is, and what it takes. */
export function FitLine({ model }: { model: string }) {
  const texts = useTexts(chatTexts);
  const words = useServerWords();
  const format = useFormat();
  const { data, error } = useQuery(modelEstimate(model));
  if (error !== null) return <span className="block text-sm wrap-anywhere text-danger">{sentence(error.message)}</span>;
  if (data === undefined) return <span className="block h-5 text-sm text-muted">…</span>;
  const { memory } = data;
  if (!data.runs)
    return (
      <span className="block text-sm wrap-anywhere text-danger">
        {data.why ? sentence(words(data.why)) : texts.doesNotRun}
      </span>
    );
  if (memory === undefined || memory === null) return null;
  const sizes = [format.bytes(memory.needed), format.bytes(memory.available)] as const;
  return (
    <span className={`block text-sm ${memory.fits ? "text-muted" : "text-danger"}`}>
      {memory.fits ? texts.fits(...sizes) : texts.fitsNot(...sizes)}
    </span>
  );
}
