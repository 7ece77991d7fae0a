import { type FormEvent, type ReactNode, useState } from "react";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextAreaField } from "@/components/Field";
import { Slider } from "@/components/Slider";
import { useTexts } from "@/i18n/texts";
import { ModelGate } from "../shared/ModelGate";
import { RunButton } from "../shared/RunButton";
import { useRun } from "../shared/useRun";
import { playgroundTexts } from "../texts";
import { askStructured } from "./ask";
import { SchemaEditor } from "./SchemaEditor";
import { type Answer, StructuredAnswer } from "./StructuredAnswer";
import { EXAMPLES, readSchema } from "./schema";
import { structuredTexts } from "./texts";

export default function StructuredPanel() {
  return (
    <ModelGate capabilities={["completion"]}>
      {(model, select) => <Structured model={model} select={select} />}
    </ModelGate>
  );
}

function Structured({ model, select }: { model: string; select: ReactNode }) {
  const shared = useTexts(playgroundTexts);
  const texts = useTexts(structuredTexts);
  const [prompt, setPrompt] = useState(texts.examplePrompt);
  const [text, setText] = useState(JSON.stringify(EXAMPLES.person, null, 2));
  const [settings, setSettings] = useState({ temperature: 0.7, max_tokens: 256 });
  const [answer, setAnswer] = useState<Answer | null>(null);
  const { busy, error, run, stop } = useRun();
  const read = readSchema(text);
  const begin = (event: FormEvent) => {
    event.preventDefault();
    if (!("schema" in read)) return;
    const { schema } = read;
    setAnswer({ text: "", schema, finish: null });
    void run(async (signal) => {
      const add = (piece: string) => {
        if (!signal.aborted) setAnswer((before) => before && { ...before, text: before.text + piece });
      };
      const finish = await askStructured({ model, prompt, schema, ...settings }, add, signal);
      setAnswer((before) => before && { ...before, finish });
    });
  };
  return (
    <form onSubmit={begin} className="grid gap-5 md:grid-cols-2">
      <div className="flex min-w-0 flex-col gap-4">
        {select}
        <TextAreaField
          label={texts.prompt}
          rows={3}
          value={prompt}
          onChange={(event) => setPrompt(event.target.value)}
        />
        <div className="grid gap-4 sm:grid-cols-2">
          <Slider
            label={shared.temperature}
            min={0}
            max={2}
            step={0.1}
            value={settings.temperature}
            onChange={(temperature) => setSettings((before) => ({ ...before, temperature }))}
          />
          <Slider
            label={shared.maxTokens}
            min={1}
            max={1024}
            step={1}
            value={settings.max_tokens}
            onChange={(max_tokens) => setSettings((before) => ({ ...before, max_tokens }))}
          />
        </div>
        <div>
          <RunButton busy={busy} onStop={stop} disabled={!("schema" in read) || prompt.trim() === ""} />
        </div>
        {error !== null && <ErrorNotice error={error} />}
        <StructuredAnswer answer={answer} busy={busy} />
      </div>
      <SchemaEditor text={text} onChange={setText} faults={"faults" in read ? read.faults : []} />
    </form>
  );
}
