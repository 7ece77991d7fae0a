import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/components/Button";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Select, TextField } from "@/components/Field";
import { useToast } from "@/components/Toast";
import { useTexts } from "@/i18n/texts";
import { useChatController } from "../controller";
import { deletePreset, presets, savePreset } from "./queries";
import { parameterTexts } from "./texts";
import type { Parameters } from "./useParameters";

/** System prompts and parameters under names: taken, kept and removed. */
export function Presets({ parameters }: { parameters: Parameters }) {
  const texts = useTexts(parameterTexts);
  const toast = useToast();
  const client = useQueryClient();
  const chat = useChatController();
  const { data = [], error } = useQuery(presets);
  const [chosen, setChosen] = useState("");
  const [name, setName] = useState("");
  const preset = data.find(({ id }) => id === chosen);
  const onSuccess = () => client.invalidateQueries({ queryKey: presets.queryKey });
  const save = useMutation({ mutationFn: savePreset, onSuccess });
  const remove = useMutation({ mutationFn: deletePreset, onSuccess });
  const take = (id: string) => {
    setChosen(id);
    const taken = data.find((each) => each.id === id);
    if (taken === undefined) return;
    parameters.replace(taken.parameters ?? {});
    chat.change({ system: taken.system ?? "", ...(taken.model == null ? {} : { model: taken.model }) });
    toast({ text: texts.presetUsed(taken.name) });
  };
  const keep = () => {
    const id = data.find((each) => each.name === name.trim())?.id;
    const made = { id, name: name.trim(), system: chat.system, parameters: parameters.values };
    save.mutate(made, {
      onSuccess: (kept) => {
        setName("");
        setChosen(kept.id);
        toast({ text: texts.presetSaved(kept.name) });
      },
    });
  };
  return (
    <section aria-label={texts.presets} className="flex flex-col gap-2">
      <div className="flex items-end gap-1">
        <Select
          label={texts.preset}
          fieldClassName="flex-1"
          value={chosen}
          options={[
            { value: "", label: texts.noPreset, disabled: true },
            ...data.map((each) => ({ value: each.id, label: each.name })),
          ]}
          onChange={(event) => take(event.target.value)}
        />
        {preset !== undefined && (
          <IconButton
            label={texts.deletePreset(preset.name)}
            busy={remove.isPending}
            onClick={() => remove.mutate(preset.id, { onSuccess: () => setChosen("") })}
          >
            <Trash2 />
          </IconButton>
        )}
      </div>
      <form
        className="flex items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() !== "") keep();
        }}
      >
        <TextField
          label={texts.presetName}
          hint={texts.presetText}
          fieldClassName="flex-1"
          value={name}
          maxLength={80}
          onChange={(event) => setName(event.target.value)}
        />
      </form>
      <Button disabled={name.trim() === ""} busy={save.isPending} onClick={keep}>
        {texts.savePreset}
      </Button>
      {[error, save.error, remove.error].map(
        (each) => each !== null && <ErrorNotice key={each.message} error={each} />,
      )}
    </section>
  );
}
