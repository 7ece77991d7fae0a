import { Badge } from "@/components/Badge";
import { useFormat } from "@/i18n/format";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { contextSize, parameterSize } from "../facts";
import { canImport, type StoreModel } from "./stores";
import { importTexts } from "./texts";

interface StoreRowProps {
  model: StoreModel;
  chosen: boolean;
  onChoose: (on: boolean) => void;
}

/** One model of another tool, which can be chosen where it runs here and is not here yet. */
export function StoreRow({ model, chosen, onChoose }: StoreRowProps) {
  const texts = useTexts(importTexts);
  const words = useServerWords();
  const format = useFormat();
  const possible = canImport(model);
  const facts = [
    model.architecture,
    parameterSize(model.parameters, format),
    model.quantization,
    model.size > 0 ? format.bytes(model.size) : "",
    contextSize(model.context_length, format),
  ];
  return (
    <li className="border-t border-line first:border-t-0">
      <label className={`flex min-h-11 items-start gap-3 px-3 py-2 ${possible ? "hover:bg-sunken" : ""}`}>
        <input
          type="checkbox"
          aria-label={texts.choose(model.name)}
          className="mt-0.5 size-4 accent-accent"
          checked={chosen}
          disabled={!possible}
          onChange={(event) => onChoose(event.target.checked)}
        />
        <span className="min-w-0 flex-1">
          <span className="flex flex-wrap items-center gap-2">
            <span className="wrap-anywhere">{model.name}</span>
            {model.imported !== "" && <Badge tone="success">{texts.importedAs(model.imported)}</Badge>}
          </span>
          <span className="block text-sm text-muted">{facts.filter((fact) => fact !== "").join(" · ")}</span>
          {!model.runs && (
            <span className="block text-sm text-warning wrap-anywhere">{texts.runsNot(words(model.reason))}</span>
          )}
        </span>
      </label>
    </li>
  );
}
