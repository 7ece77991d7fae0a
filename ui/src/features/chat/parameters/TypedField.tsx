import { useState } from "react";
import { TextField } from "@/components/Field";
import { useTexts } from "@/i18n/texts";
import { wholeNumber } from "./fields";
import { parameterTexts } from "./texts";

interface WholeFieldProps {
  label: string;
  hint?: string | undefined;
  value: number | null;
  placeholder: string;
  min: number;
  max: number;
  onChange: (value: number | null) => void;
}

/** A whole number that may be left out. What is none stays in the field, and is not taken. */
export function WholeField({ label, hint, value, placeholder, min, max, onChange }: WholeFieldProps) {
  const texts = useTexts(parameterTexts);
  const [typed, setTyped] = useState<string | null>(null);
  const wrong = typed !== null && wholeNumber(typed, min, max) === undefined;
  return (
    <TextField
      label={label}
      hint={hint}
      inputMode="numeric"
      value={typed ?? value ?? ""}
      placeholder={placeholder}
      error={wrong ? `${texts.whole} ${texts.out(min, max)}` : undefined}
      onChange={(event) => {
        setTyped(event.target.value);
        const number = wholeNumber(event.target.value, min, max);
        if (number !== undefined) onChange(number);
      }}
      onBlur={() => !wrong && setTyped(null)}
      className="tabular-nums"
    />
  );
}
