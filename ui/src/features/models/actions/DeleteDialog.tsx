import { ConfirmDialog } from "@/components/Dialog";
import { commonTexts } from "@/i18n/common";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { toolName } from "../facts";
import type { Model } from "../library";
import { actionTexts } from "./texts";
import { useModelActions } from "./useModelActions";

/** Asks before a model goes, and says what goes with it and what stays. */
export function DeleteDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const texts = useTexts(actionTexts);
  const common = useTexts(commonTexts);
  const format = useFormat();
  const { remove } = useModelActions(model.name);
  const size = format.bytes(model.size);
  const fate =
    model.tool !== ""
      ? texts.staysInStore(size, toolName(model.tool))
      : model.shares.length > 0
        ? texts.staysFor(size, model.shares.join(", "))
        : texts.goesWith(size);
  const loaded = model.loaded === null ? "" : texts.unloadsFirst;
  const source = model.source === "" ? "" : texts.pulledFrom(model.source);
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      onConfirm={() => remove.mutate(undefined, { onSuccess: onClose })}
      title={texts.removeTitle(model.name)}
      description={[fate, source, loaded].filter(Boolean).join(" ")}
      action={common.delete}
      busy={remove.isPending}
    />
  );
}
