import { useState } from "react";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextAreaField } from "@/components/Field";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { isToSend } from "../keyboard";
import { libraryTexts } from "./libraryTexts";
import type { SavedPrompt } from "./queries";
import { filled, variablesOf } from "./variables";

interface FillDialogProps {
  prompt: SavedPrompt;
  onFill: (text: string) => void;
  onClose: () => void;
}

/** Asks for what a prompt's variables stand for. */
export default function FillDialog({ prompt, onFill, onClose }: FillDialogProps) {
  const texts = useTexts(libraryTexts);
  const common = useTexts(commonTexts);
  const [values, setValues] = useState<ReadonlyMap<string, string>>(new Map());
  const fill = () => {
    onClose();
    onFill(filled(prompt.text, values));
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={texts.fill(prompt.name)}
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button look="primary" onClick={fill}>
            {texts.insert}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        {variablesOf(prompt.text).map((name, index) => (
          <TextAreaField
            key={name}
            label={name}
            rows={1}
            autoFocus={index === 0}
            className="field-sizing-content max-h-40 resize-none"
            value={values.get(name) ?? ""}
            onChange={({ target }) => setValues(new Map([...values, [name, target.value]]))}
            onKeyDown={(event) => {
              if (!isToSend(event)) return;
              event.preventDefault();
              fill();
            }}
          />
        ))}
      </div>
    </Dialog>
  );
}
