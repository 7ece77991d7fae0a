import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Pencil, Trash2 } from "lucide-react";
import { useId, useRef, useState } from "react";
import { Button, IconButton } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextAreaField, TextField } from "@/components/Field";
import { useTexts } from "@/i18n/texts";
import { libraryTexts } from "./libraryTexts";
import { deletePrompt, type SavedPrompt, savedPrompts, savePrompt } from "./queries";
import { promptTexts } from "./texts";

const NEW: { id?: string; name: string; text: string } = { name: "", text: "" };

/** The saved prompts: added, changed and deleted. */
export default function PromptLibrary({ onClose }: { onClose: () => void }) {
  const texts = useTexts(libraryTexts);
  const { library } = useTexts(promptTexts);
  const client = useQueryClient();
  const { data = [], error, isSuccess } = useQuery(savedPrompts);
  const [typed, setTyped] = useState(NEW);
  const onSuccess = () => client.invalidateQueries({ queryKey: savedPrompts.queryKey });
  const save = useMutation({ mutationFn: savePrompt, onSuccess });
  const remove = useMutation({ mutationFn: ({ id }: SavedPrompt) => deletePrompt(id), onSuccess });
  const id = useId();
  const nameField = useRef<HTMLInputElement>(null);
  const name = typed.name.trim();
  const isTaken = data.some((prompt) => prompt.name === name && prompt.id !== typed.id);
  const isWrong = /[\s/]/.test(name);
  const isReady = name !== "" && !isTaken && !isWrong && typed.text.trim() !== "";
  const change = (prompt: SavedPrompt) => {
    setTyped(prompt);
    nameField.current?.focus();
  };
  // What was deleted stays in the fields, where nothing else is: saving it brings it back.
  const removed = ({ id, name, text }: SavedPrompt) =>
    setTyped((now) => (now.id === id || now === NEW ? { name, text } : now));
  const keep = () => isReady && save.mutate({ ...typed, name }, { onSuccess: () => setTyped(NEW) });
  return (
    <Dialog
      open
      onClose={onClose}
      title={library}
      description={texts.about}
      size="large"
      actions={
        <>
          {typed !== NEW && <Button onClick={() => setTyped(NEW)}>{texts.clear}</Button>}
          <Button type="submit" form={id} look="primary" busy={save.isPending} disabled={!isReady}>
            {texts.add}
          </Button>
        </>
      }
    >
      {isSuccess && data.length === 0 && <p className="text-muted">{texts.none}</p>}
      <ul className="flex max-h-60 flex-col overflow-y-auto">
        {data.map((prompt) => (
          <li key={prompt.id} className="flex items-center gap-1 border-b border-line py-1 last:border-0">
            <p className="min-w-0 flex-1">
              <span className="block truncate font-medium">/{prompt.name}</span>
              <span className="block truncate text-sm text-muted">{prompt.text}</span>
            </p>
            <IconButton label={texts.change(prompt.name)} size="small" onClick={() => change(prompt)}>
              <Pencil />
            </IconButton>
            <IconButton
              label={texts.remove(prompt.name)}
              size="small"
              busy={remove.isPending && remove.variables.id === prompt.id}
              onClick={() => remove.mutate(prompt, { onSuccess: () => removed(prompt) })}
            >
              <Trash2 />
            </IconButton>
          </li>
        ))}
      </ul>
      <form
        id={id}
        className="mt-3 flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          keep();
        }}
      >
        <TextField
          ref={nameField}
          label={texts.name}
          hint={texts.nameHint}
          error={isTaken ? texts.nameTaken : isWrong ? texts.nameHint : undefined}
          maxLength={60}
          value={typed.name}
          onChange={({ target }) => setTyped({ ...typed, name: target.value })}
        />
        <TextAreaField
          label={texts.text}
          rows={4}
          placeholder={texts.example}
          value={typed.text}
          onChange={({ target }) => setTyped({ ...typed, text: target.value })}
        />
      </form>
      {[error, save.error, remove.error].map((each) => each && <ErrorNotice key={each.message} error={each} />)}
    </Dialog>
  );
}
