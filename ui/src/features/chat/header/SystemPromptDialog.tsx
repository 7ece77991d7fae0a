import { useState } from "react";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextAreaField } from "@/components/Field";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";

/** Edits what the model is told before the chat. */
export default function SystemPromptDialog({
  system,
  onSave,
  onClose,
}: {
  system: string;
  onSave: (system: string) => void;
  onClose: () => void;
}) {
  const texts = useTexts(chatTexts);
  const common = useTexts(commonTexts);
  const [typed, setTyped] = useState(system);
  return (
    <Dialog
      open
      onClose={onClose}
      title={texts.systemPrompt}
      description={texts.systemPromptText}
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button
            look="primary"
            onClick={() => {
              onSave(typed);
              onClose();
            }}
          >
            {common.save}
          </Button>
        </>
      }
    >
      <TextAreaField
        label={texts.systemPrompt}
        labelHidden
        rows={8}
        placeholder={texts.systemPromptExample}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
    </Dialog>
  );
}
