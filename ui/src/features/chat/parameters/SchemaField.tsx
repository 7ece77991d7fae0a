import { useState } from "react";
import { Select, TextAreaField } from "@/components/Field";
import { useTexts } from "@/i18n/texts";
import { checkSchema, type SchemaProblem } from "./schemaCheck";
import { parameterTexts } from "./texts";

const EXAMPLE = {
  type: "object",
  properties: { answer: { type: "string" }, sure: { type: "boolean" } },
  required: ["answer", "sure"],
  additionalProperties: false,
};

type Format = "off" | "json" | "schema";

const formatOf = (value: unknown): Format =>
  value === true ? "json" : typeof value === "object" && value !== null ? "schema" : "off";

/** What form answers must have: none, JSON, or a schema, which is looked at while it is typed. */
export function SchemaField({ value, onChange }: { value: unknown; onChange: (value: unknown) => void }) {
  const texts = useTexts(parameterTexts);
  const [typed, setTyped] = useState<string | null>(null);
  const format = formatOf(value);
  const text = typed ?? (format === "schema" ? JSON.stringify(value, null, 2) : "");
  const checked = format === "schema" ? checkSchema(text) : undefined;
  const choose = (chosen: Format) => {
    setTyped(null);
    onChange(chosen === "off" ? null : chosen === "json" ? true : EXAMPLE);
  };
  return (
    <div className="flex flex-col gap-2">
      <Select
        label={texts.names.json_schema}
        hint={texts.about.json_schema}
        value={format}
        options={(["off", "json", "schema"] as const).map((each) => ({ value: each, label: texts.formats[each] }))}
        onChange={(event) => choose(event.target.value as Format)}
      />
      {format === "schema" && (
        <TextAreaField
          label={texts.schema}
          rows={10}
          spellCheck={false}
          value={text}
          error={checked !== undefined && "problem" in checked ? inWords(checked.problem, texts) : undefined}
          onChange={(event) => {
            setTyped(event.target.value);
            const now = checkSchema(event.target.value);
            if ("schema" in now) onChange(now.schema);
          }}
          className="font-mono text-sm!"
        />
      )}
    </div>
  );
}

export function inWords(problem: SchemaProblem, texts: (typeof parameterTexts)["en"]): string {
  if (problem.kind === "json") return texts.schemaErrors.json(problem.at);
  if (problem.kind === "type") return texts.schemaErrors.type(problem.type);
  return texts.schemaErrors[problem.kind];
}
