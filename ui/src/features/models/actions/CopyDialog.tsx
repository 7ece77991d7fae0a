import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { fetchApi } from "@/api/client";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { useToast } from "@/components/Toast";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import type { Model } from "../library";
import { actionTexts } from "./texts";

/** Gives a model a second name. */
export function CopyDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const texts = useTexts(actionTexts);
  const common = useTexts(commonTexts);
  const toast = useToast();
  const [name, setName] = useState("");
  const copy = useMutation({
    mutationFn: () =>
      fetchApi("/api/copy", { method: "POST", body: JSON.stringify({ source: model.name, destination: name.trim() }) }),
    onSuccess: () => {
      toast({ text: texts.copied(name.trim()) });
      onClose();
    },
  });
  const form = `copy-${model.digest.slice(0, 8)}`;
  return (
    <Dialog
      open
      onClose={onClose}
      size="small"
      title={texts.copyTitle(model.name)}
      description={texts.copyText}
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button look="primary" type="submit" form={form} busy={copy.isPending} disabled={name.trim() === ""}>
            {texts.give}
          </Button>
        </>
      }
    >
      <form
        id={form}
        onSubmit={(event) => {
          event.preventDefault();
          copy.mutate();
        }}
      >
        <TextField
          label={texts.newName}
          value={name}
          autoFocus
          autoComplete="off"
          spellCheck={false}
          error={copy.error?.message}
          onChange={(event) => setName(event.target.value)}
        />
      </form>
    </Dialog>
  );
}
