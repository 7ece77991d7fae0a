import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { contextSize, parameterSize } from "../facts";
import type { Model } from "../library";
import { modelsTexts } from "../texts";
import { LoadButton } from "./LoadButton";
import { ModelMenu, type ModelTask } from "./ModelMenu";
import { ModelName } from "./ModelName";
import { ModelState } from "./ModelState";

interface ModelCardsProps {
  models: readonly Model[];
  onTask: (model: Model, task: ModelTask) => void;
}

/** The models as cards, for phones. */
export function ModelCards({ models, onTask }: ModelCardsProps) {
  const texts = useTexts(modelsTexts);
  const format = useFormat();
  return (
    <ul aria-label={texts.title} className="flex flex-col gap-2">
      {models.map((model) => {
        const context = contextSize(model.context_length, format);
        const facts = [
          model.family,
          parameterSize(model.parameters, format),
          model.quantization,
          format.bytes(model.size),
          context === "" ? "" : texts.tokens(context),
        ];
        return (
          <li key={model.name} className="rounded-md border border-line p-3">
            <div className="flex items-start gap-2">
              <div className="min-w-0 flex-1">
                <ModelName model={model} />
                <p className="mt-1 text-sm text-muted">{whole(facts)}</p>
              </div>
              <ModelMenu model={model} onTask={(task) => onTask(model, task)} />
            </div>
            <div className="mt-2 flex items-center justify-between gap-3">
              <ModelState model={model} />
              <LoadButton model={model} />
            </div>
          </li>
        );
      })}
    </ul>
  );
}

/** Returns facts in a line that breaks between them alone. */
const whole = (facts: readonly string[]): string =>
  facts
    .filter((fact) => fact !== "")
    .map((fact) => fact.replaceAll(" ", "\u00a0"))
    .join(" · ");
