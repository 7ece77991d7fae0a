import { Badge } from "@/components/Badge";
import { useFormat } from "@/i18n/format";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { type ConversionChoice, type ConversionEstimate, change, qualityOf, RECOMMENDED } from "./choices";
import { convertTexts } from "./texts";

interface TypeListProps {
  estimate: ConversionEstimate;
  choices: readonly ConversionChoice[];
  chosen: string;
  onChoose: (type: string) => void;
}

/** The types that a model can become, each with its size and what it keeps of the model. */
export function TypeList({ estimate, choices, chosen, onChoose }: TypeListProps) {
  const texts = useTexts(convertTexts);
  return (
    <fieldset>
      <legend className="mb-1 text-sm font-medium">{texts.types}</legend>
      <div className="max-h-[444px] overflow-y-auto rounded-md border border-line">
        {choices.map((choice) => (
          <TypeRow
            key={choice.type}
            estimate={estimate}
            choice={choice}
            isChosen={choice.type === chosen}
            onChoose={() => onChoose(choice.type)}
          />
        ))}
      </div>
    </fieldset>
  );
}

interface TypeRowProps {
  estimate: ConversionEstimate;
  choice: ConversionChoice;
  isChosen: boolean;
  onChoose: () => void;
}

function TypeRow({ estimate, choice, isChosen, onChoose }: TypeRowProps) {
  const texts = useTexts(convertTexts);
  const words = useServerWords();
  const format = useFormat();
  const obstacle = choice.why === "" ? (choice.importance ? texts.importance : "") : texts.cannot(words(choice.why));
  const parts = Math.round(change(estimate.size, choice.size) * 100);
  const percent = `${format.number(Math.abs(parts))} %`;
  const changed = parts === 0 ? texts.same : parts < 0 ? texts.smaller(percent) : texts.larger(percent);
  return (
    <label
      className={`flex min-h-11 items-center gap-3 border-t border-line px-3 py-1.5 first:border-t-0 ${isChosen ? "bg-accent-soft" : obstacle === "" ? "hover:bg-sunken" : ""}`}
    >
      <input
        type="radio"
        name="type"
        className="size-4 shrink-0 accent-accent"
        checked={isChosen}
        disabled={obstacle !== ""}
        onChange={onChoose}
      />
      <span className="min-w-0 flex-1">
        <span className="flex flex-wrap items-center gap-2">
          <span className="font-medium">{choice.type === "" ? texts.keep : choice.type}</span>
          {choice.type === RECOMMENDED[estimate.format] && <Badge tone="accent">{texts.recommended}</Badge>}
        </span>
        <span className="block text-sm text-muted wrap-anywhere">
          {obstacle === "" ? texts.quality[qualityOf(choice.type)] : obstacle}
        </span>
      </span>
      {choice.size > 0 && (
        <span className="shrink-0 text-right tabular-nums">
          <span className="block">{format.bytes(choice.size)}</span>
          <span className="block text-sm text-muted">{changed}</span>
        </span>
      )}
    </label>
  );
}
