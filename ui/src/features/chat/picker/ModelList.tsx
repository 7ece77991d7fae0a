import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import { useState } from "react";
import type { InstalledModel, LoadedModel } from "@/api/models";
import { Badge } from "@/components/Badge";
import { SearchField } from "@/components/Field";
import { commonTexts } from "@/i18n/common";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import { FitLine } from "./FitLine";

export interface ModelListProps {
  models: readonly InstalledModel[];
  loaded: readonly LoadedModel[];
  chosen: string | null;
  onChoose: (name: string) => void;
}

/** The models that can chat; the loaded ones first. */
export function ModelList({ models, loaded, chosen, onChoose }: ModelListProps) {
  const texts = useTexts(chatTexts);
  const common = useTexts(commonTexts);
  const format = useFormat();
  const [search, setSearch] = useState("");
  const inMemory = new Set(loaded.map(({ name }) => name));
  const shown = models
    .filter(({ name }) => name.toLowerCase().includes(search.trim().toLowerCase()))
    .toSorted((a, b) => Number(inMemory.has(b.name)) - Number(inMemory.has(a.name)) || a.name.localeCompare(b.name));
  return (
    <div className="flex flex-col gap-1">
      {models.length > 6 && <SearchField label={common.search} value={search} onSearch={setSearch} />}
      <ul className="max-h-96 overflow-y-auto">
        {shown.map(({ name, size, details }) => (
          <li key={name}>
            <button
              type="button"
              aria-current={name === chosen}
              onClick={() => onChoose(name)}
              className="flex w-full items-start gap-2 rounded-sm px-2 py-1.5 text-left -outline-offset-2 hover:bg-hover pointer-coarse:min-h-11"
            >
              <Check aria-hidden className={`mt-0.5 size-4 shrink-0 ${name === chosen ? "" : "invisible"}`} />
              <span className="min-w-0 flex-1">
                <span className="flex items-center gap-2">
                  <span className="truncate font-medium">{name}</span>
                  {inMemory.has(name) && <Badge tone="success">{texts.loaded}</Badge>}
                </span>
                <span className="block truncate text-sm text-muted">
                  {[details.family, details.parameter_size, details.quantization_level, format.bytes(size)]
                    .filter((fact) => fact !== "")
                    .join(" · ")}
                </span>
                {!inMemory.has(name) && <FitLine model={name} />}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p className="px-2 py-3 text-muted">{texts.noModels}</p>}
      <Link to="/ui/models" className="rounded-sm px-2 py-1.5 text-accent-ink hover:bg-hover">
        {texts.moreModels}
      </Link>
    </div>
  );
}
