import { useQueryClient } from "@tanstack/react-query";
import { Check, CircleAlert } from "lucide-react";
import { type FormEvent, useEffect, useState } from "react";
import { onKeyGiven, readKey, setKey, tryKey } from "@/api/key";
import { Button } from "@/components/Button";
import { Card } from "@/components/Card";
import { TextField } from "@/components/Field";
import { useToast } from "@/components/Toast";
import { useTexts } from "@/i18n/texts";
import { settingsTexts } from "./texts";

const SAYS = { taken: "keyTaken", open: "keyNotNeeded", refused: "keyRefused", missing: "keyMissing" } as const;

/** The API key that this browser keeps: seen by nobody, tested before it is kept. */
export function KeyCard() {
  const texts = useTexts(settingsTexts);
  const toast = useToast();
  const client = useQueryClient();
  const [stored, setStored] = useState(readKey() !== null);
  const [typed, setTyped] = useState("");
  const [verdict, setVerdict] = useState<{ good: boolean; text: string } | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => onKeyGiven(() => setStored(readKey() !== null)), []);

  const keep = (key: string | null) => {
    setKey(key);
    setTyped("");
    setVerdict(null);
    toast({ text: key === null ? texts.keyGone : texts.keySaved });
    void client.invalidateQueries();
  };
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim() !== "") keep(typed.trim());
  };
  const test = async () => {
    setBusy(true);
    const said = await tryKey(typed.trim() || readKey()).catch((error: Error) => error);
    setBusy(false);
    if (said instanceof Error) setVerdict({ good: false, text: said.message });
    else setVerdict({ good: said === "taken" || said === "open", text: texts[SAYS[said]] });
  };
  return (
    <Card title={texts.key}>
      <form onSubmit={save} className="flex flex-col gap-3">
        <p className="text-muted">{stored ? texts.keyStored : texts.keyNone}</p>
        <div className="flex flex-wrap items-end gap-2">
          <TextField
            label={texts.keyNew}
            type="password"
            autoComplete="off"
            spellCheck={false}
            fieldClassName="min-w-48 flex-1"
            value={typed}
            onChange={(event) => {
              setTyped(event.target.value);
              setVerdict(null);
            }}
          />
          <div className="flex flex-wrap gap-2">
            <Button onClick={() => void test()} busy={busy}>
              {texts.keyTest}
            </Button>
            <Button look="primary" type="submit" disabled={typed.trim() === ""}>
              {texts.keySave}
            </Button>
            {stored && <Button onClick={() => keep(null)}>{texts.keyRemove}</Button>}
          </div>
        </div>
        <p role="status" className={`empty:-mt-3 ${verdict?.good === true ? "text-success" : "text-danger"}`}>
          {verdict !== null && (
            <span className="inline-flex items-center gap-1.5 [&_svg]:size-4">
              {verdict.good ? <Check aria-hidden /> : <CircleAlert aria-hidden />}
              {verdict.text}
            </span>
          )}
        </p>
      </form>
    </Card>
  );
}
