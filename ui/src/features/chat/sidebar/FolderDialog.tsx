import { useState } from "react";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";

/** Asks for the name of a new folder. */
export function FolderDialog({ onName, onClose }: { onName: (name: string) => void; onClose: () => void }) {
  const texts = useTexts(chatTexts);
  const common = useTexts(commonTexts);
  const [name, setName] = useState("");
  return (
    <Dialog open onClose={onClose} title={texts.newFolderTitle} size="small">
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          onName(name.trim());
        }}
      >
        <TextField
          label={texts.folderName}
          autoFocus
          required
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button look="primary" type="submit" disabled={name.trim() === ""}>
            {common.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
