import { useState } from "react";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { Switch } from "@/components/Switch";
import { commonTexts } from "@/i18n/common";
import { useTexts } from "@/i18n/texts";
import { useStartJob } from "../jobs/useJobs";
import type { Model } from "../library";
import { actionTexts } from "./texts";

/** Gives a model to a registry, as a job. */
export function PushDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const texts = useTexts(actionTexts);
  const common = useTexts(commonTexts);
  const [target, setTarget] = useState(model.name.includes("/") ? model.name : "");
  const [insecure, setInsecure] = useState(false);
  const push = useStartJob();
  const form = `push-${model.digest.slice(0, 8)}`;
  return (
    <Dialog
      open
      onClose={onClose}
      title={texts.pushTitle(model.name)}
      description={texts.pushText}
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button look="primary" type="submit" form={form} busy={push.isPending} disabled={target.trim() === ""}>
            {texts.pushAction}
          </Button>
        </>
      }
    >
      <form
        id={form}
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const body = { model: model.name, target: target.trim(), insecure };
          push.mutate({ kind: "push", body }, { onSuccess: onClose });
        }}
      >
        <TextField
          label={texts.target}
          hint={texts.targetHint}
          error={push.error?.message}
          value={target}
          autoFocus
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setTarget(event.target.value)}
        />
        <Switch label={texts.insecure} checked={insecure} onChange={setInsecure} />
      </form>
    </Dialog>
  );
}
