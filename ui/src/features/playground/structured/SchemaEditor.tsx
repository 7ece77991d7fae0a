import { Check, WandSparkles } from "lucide-react";
import { Button } from "@/components/Button";
import { Select, TextAreaField } from "@/components/Field";
import { useTexts } from "@/i18n/texts";
import { EXAMPLES, type SchemaFault, tidied } from "./schema";
import { structuredTexts } from "./texts";

type Example = keyof typeof EXAMPLES;
const NAMES = Object.keys(EXAMPLES) as Example[];

export interface SchemaEditorProps {
  text: string;
  onChange: (text: string) => void;
  faults: readonly SchemaFault[];
}

/** A JSON schema as text, with what is wrong with it below. */
export function SchemaEditor({ text, onChange, faults }: SchemaEditorProps) {
  const texts = useTexts(structuredTexts);
  const chosen = NAMES.find((name) => JSON.stringify(EXAMPLES[name], null, 2) === text) ?? "";
  return (
    <div className="flex flex-col gap-2">
      <TextAreaField
        label={texts.schema}
        rows={16}
        spellCheck={false}
        className="font-mono text-sm!"
        value={text}
        onChange={(event) => onChange(event.target.value)}
        error={faults.length === 0 ? undefined : faults.map((fault) => sentence(fault, texts)).join(" ")}
        hint={
          <span className="inline-flex items-center gap-1.5 text-success">
            <Check aria-hidden className="size-4" />
            {texts.good}
          </span>
        }
      />
      <div className="flex flex-wrap items-end gap-2">
        <Select
          label={texts.example}
          fieldClassName="min-w-40 flex-1"
          value={chosen}
          onChange={(event) => onChange(JSON.stringify(EXAMPLES[event.target.value as Example], null, 2))}
          options={[
            ...(chosen === "" ? [{ value: "", label: "–", disabled: true }] : []),
            ...NAMES.map((value) => ({ value, label: texts.examples[value] })),
          ]}
        />
        <Button icon={<WandSparkles aria-hidden className="size-4" />} onClick={() => onChange(tidied(text))}>
          {texts.format}
        </Button>
      </div>
    </div>
  );
}

function sentence(fault: SchemaFault, texts: typeof structuredTexts.en): string {
  switch (fault.kind) {
    case "notJson":
      return texts.notJson(fault.message);
    case "notObject":
      return texts.notObject;
    case "unknownType":
    case "notThere":
      return texts[fault.kind](fault.place, fault.name);
    default:
      return texts[fault.kind](fault.place);
  }
}
