import { Link } from "@tanstack/react-router";
import { Badge } from "@/components/Badge";
import { useTexts } from "@/i18n/texts";
import { shownCapabilities, toolName } from "../facts";
import type { Model } from "../library";
import { modelsTexts } from "../texts";
import { LoadFailure } from "./LoadFailure";

/** A model's name, which leads to its details, what it can do, and why its load failed. */
export function ModelName({ model }: { model: Model }) {
  const texts = useTexts(modelsTexts);
  const capabilities = shownCapabilities(model);
  return (
    <div className="min-w-0">
      <Link
        to="/ui/models"
        search={(old) => ({ ...old, model: model.name })}
        className="rounded-sm font-medium wrap-anywhere hover:underline"
      >
        {model.name}
      </Link>
      {(capabilities.length > 0 || model.tool !== "") && (
        <div className="mt-1 flex flex-wrap gap-1">
          {capabilities.map((capability) => (
            <Badge key={capability}>{texts.capabilities[capability] ?? capability}</Badge>
          ))}
          {model.tool !== "" && <Badge tone="accent">{texts.inStore(toolName(model.tool))}</Badge>}
        </div>
      )}
      <LoadFailure model={model} />
    </div>
  );
}
