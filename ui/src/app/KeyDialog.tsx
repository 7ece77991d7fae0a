import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { onKeyWanted, readKey, setKey } from "@/api/key";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { shellTexts } from "./texts";

/** Asks for the API key when the server refuses a request for want of one, and has everything asked again with it. */
export function KeyDialog() {
  const texts = useTexts(shellTexts);
  const common = useTexts(commonTexts);
  const client = useQueryClient();
  const [wanted, setWanted] = useState(false);
  const [typed, setTyped] = useState("");
  useEffect(() => onKeyWanted(() => setWanted(true)), []);
  const use = (event: FormEvent) => {
    event.preventDefault();
    setKey(typed.trim());
    setTyped("");
    setWanted(false);
    void client.invalidateQueries();
  };
  return (
    <Dialog
      open={wanted}
      onClose={() => setWanted(false)}
      title={texts.keyTitle}
      description={readKey() === null ? texts.keyText : texts.keyWrong}
      size="small"
    >
      <form onSubmit={use} className="flex flex-col gap-4">
        <TextField
          label={texts.key}
          type="password"
          autoFocus
          autoComplete="off"
          required
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={() => setWanted(false)}>{common.cancel}</Button>
          <Button look="primary" type="submit">
            {texts.keyUse}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
