import { type FormEvent, type ReactNode, useState } from "react";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextAreaField, TextField } from "@/components/Field";
import { Slider } from "@/components/Slider";
import { Switch } from "@/components/Switch";
import { useTexts } from "@/i18n/texts";
import { ModelGate } from "../shared/ModelGate";
import { RunButton } from "../shared/RunButton";
import { useRun } from "../shared/useRun";
import { playgroundTexts } from "../texts";
import { CompletionResult, type Outcome } from "./CompletionResult";
import { type CompletionInput, complete } from "./complete";
import { completionTexts } from "./texts";

export default function CompletionPanel() {
  return (
    <ModelGate capabilities={["completion"]}>
      {(model, select) => <Completion model={model} select={select} />}
    </ModelGate>
  );
}

const NOTHING: Outcome = { tokens: [], seconds: 0, finish: null };

function Completion({ model, select }: { model: string; select: ReactNode }) {
  const shared = useTexts(playgroundTexts);
  const texts = useTexts(completionTexts);
  const [prompt, setPrompt] = useState(texts.example);
  const [settings, setSettings] = useState({ temperature: 0.7, max_tokens: 64, seed: "", echo: false });
  const [outcome, setOutcome] = useState(NOTHING);
  const { busy, error, run, stop } = useRun();
  const set = (change: Partial<typeof settings>) => setSettings((before) => ({ ...before, ...change }));

  const begin = (event: FormEvent) => {
    event.preventDefault();
    const { seed, ...rest } = settings;
    const input: CompletionInput = { model, prompt, ...rest, ...(seed === "" ? {} : { seed: Number(seed) }) };
    setOutcome(NOTHING);
    void run(async (signal) => {
      let began: number | null = null;
      const finish = await complete(
        input,
        (tokens) => {
          // Aborting does not take back what is being read.
          if (signal.aborted) return;
          const now = performance.now();
          began ??= now;
          const seconds = (now - began) / 1000;
          setOutcome((before) => ({ ...before, tokens: [...before.tokens, ...tokens], seconds }));
        },
        signal,
      );
      setOutcome((before) => ({ ...before, finish }));
    });
  };
  return (
    <form onSubmit={begin} className="grid gap-6 md:grid-cols-[minmax(0,1fr)_16rem]">
      <div className="flex min-w-0 flex-col gap-4">
        <TextAreaField
          label={texts.prompt}
          rows={5}
          className="font-mono"
          value={prompt}
          onChange={(event) => setPrompt(event.target.value)}
        />
        <div>
          <RunButton busy={busy} onStop={stop} disabled={prompt === ""} />
        </div>
        {error !== null && <ErrorNotice error={error} />}
        <CompletionResult outcome={outcome} busy={busy} />
      </div>
      <div className="flex flex-col gap-3">
        {select}
        <Slider
          label={shared.temperature}
          min={0}
          max={2}
          step={0.1}
          value={settings.temperature}
          onChange={(temperature) => set({ temperature })}
        />
        <Slider
          label={shared.maxTokens}
          min={1}
          max={512}
          step={1}
          value={settings.max_tokens}
          onChange={(max_tokens) => set({ max_tokens })}
        />
        <TextField
          label={shared.seed}
          hint={shared.seedHint}
          inputMode="numeric"
          pattern="[0-9]*"
          value={settings.seed}
          onChange={(event) => set({ seed: event.target.value })}
        />
        <Switch
          label={texts.scorePrompt}
          hint={texts.scorePromptHint}
          checked={settings.echo}
          onChange={(echo) => set({ echo })}
        />
      </div>
    </form>
  );
}
