import { type FormEvent, type ReactNode, useState } from "react";
import { fetchJson } from "@/api/client";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextAreaField } from "@/components/Field";
import { useTexts } from "@/i18n/texts";
import { linesOf } from "../shared/lines";
import { ModelGate } from "../shared/ModelGate";
import { RunButton } from "../shared/RunButton";
import { useRun } from "../shared/useRun";
import { HeatMap } from "./HeatMap";
import { nearestPair, similarities } from "./similarity";
import { embeddingsTexts } from "./texts";

const MOST = 24;

interface Embedded {
  data: readonly { embedding: readonly number[] }[];
  usage: { prompt_tokens: number };
}

interface Compared {
  inputs: readonly string[];
  matrix: number[][];
  dimensions: number;
  tokens: number;
}

export default function EmbeddingsPanel() {
  return (
    <ModelGate capabilities={["embedding"]}>
      {(model, select) => <Embeddings model={model} select={select} />}
    </ModelGate>
  );
}

function Embeddings({ model, select }: { model: string; select: ReactNode }) {
  const texts = useTexts(embeddingsTexts);
  const [typed, setTyped] = useState(texts.example);
  const [compared, setCompared] = useState<Compared | null>(null);
  const { busy, error, run, stop } = useRun();
  const inputs = linesOf(typed);
  const begin = (event: FormEvent) => {
    event.preventDefault();
    void run(async (signal) => {
      const { data, usage } = await fetchJson<Embedded>("/v1/embeddings", { model, input: inputs }, { signal });
      const vectors = data.map(({ embedding }) => embedding);
      setCompared({
        inputs,
        matrix: similarities(vectors),
        dimensions: vectors[0]?.length ?? 0,
        tokens: usage.prompt_tokens,
      });
    });
  };
  const pair = compared === null ? null : nearestPair(compared.matrix);
  return (
    <form onSubmit={begin} className="flex flex-col gap-5">
      <div className="grid gap-5 md:grid-cols-[minmax(0,1fr)_16rem]">
        <TextAreaField
          label={texts.inputs}
          hint={texts.inputsHint(inputs.length)}
          error={inputs.length > MOST ? texts.tooMany : undefined}
          rows={6}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <div className="flex flex-col items-stretch gap-3">
          {select}
          <div>
            <RunButton busy={busy} onStop={stop} disabled={inputs.length === 0 || inputs.length > MOST} />
          </div>
        </div>
      </div>
      {error !== null && <ErrorNotice error={error} />}
      {compared === null ? (
        <p className="rounded-md border border-dashed border-line-strong/60 p-8 text-center text-muted">{texts.none}</p>
      ) : (
        <section className="flex min-w-0 flex-col gap-3" aria-live="polite">
          <HeatMap texts={compared.inputs} matrix={compared.matrix} />
          <p className="text-sm text-muted tabular-nums">{texts.facts(compared.dimensions, compared.tokens)}</p>
          {pair !== null && (
            <p className="text-sm">
              <span className="text-muted">{texts.nearest}: </span>
              {compared.inputs[pair[0]]} <span className="text-muted">↔</span> {compared.inputs[pair[1]]}
            </p>
          )}
          <p className="text-sm text-muted">{texts.scale}</p>
        </section>
      )}
    </form>
  );
}
