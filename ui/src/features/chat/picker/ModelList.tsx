import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import { useRef, useState } from "react";
import type { InstalledModel } from "@/api/models";
import { Badge } from "@/components/Badge";
import { SearchField } from "@/components/Field";
import { parameterSize, shownCapabilities } from "@/features/models/facts";
import { useLibrary } from "@/features/models/library";
import { modelsTexts } from "@/features/models/texts";
import { commonTexts } from "@/i18n/common";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import { LoadLine } from "./LoadLine";
import { RetryLoad } from "./RetryLoad";

export interface ModelListProps {
  models: readonly InstalledModel[];
  chosen: string | null;
  onChoose: (name: string) => void;
}

/** The models that can chat, as they are now: those that are loaded, or are just being, as the list opens come first. A
 * load that begins or ends meanwhile moves none of them from under the pointer. */
export function ModelList({ models, chosen, onChoose }: ModelListProps) {
  const texts = useTexts(chatTexts);
  const labels = useTexts(modelsTexts);
  const common = useTexts(commonTexts);
  const format = useFormat();
  const [search, setSearch] = useState("");
  const { data: library } = useLibrary();
  const known = new Map(library?.models.map((model) => [model.name, model]));
  const first = useRef<typeof known>(undefined);
  if (library !== undefined) first.current ??= known;
  const rank = (name: string) =>
    ["loading", "restarting", "ready"].indexOf(first.current?.get(name)?.loaded?.state ?? "");
  const shown = models
    .filter(({ name }) => name.toLowerCase().includes(search.trim().toLowerCase()))
    .toSorted((a, b) => rank(b.name) - rank(a.name) || a.name.localeCompare(b.name));
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
                  {known.get(name)?.loaded?.state === "ready" && <Badge tone="success">{texts.loaded}</Badge>}
                </span>
                <span className="block truncate text-sm text-muted">
                  {[
                    details.family,
                    parameterSize(known.get(name)?.parameters ?? 0, format),
                    details.quantization_level,
                    format.bytes(size),
                    ...shownCapabilities(known.get(name) ?? { capabilities: [] }).map(
                      (capability) => labels.capabilities[capability] ?? capability,
                    ),
                  ]
                    .filter((fact) => fact !== "")
                    .join(" · ")}
                </span>
                {library !== undefined && <LoadLine model={name} loaded={known.get(name)?.loaded ?? null} />}
              </span>
            </button>
            <RetryLoad model={name} loaded={known.get(name)?.loaded ?? null} />
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
