import { type FormEvent, type ReactNode, useState } from "react";
import { fetchJson } from "@/api/client";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextAreaField, TextField } from "@/components/Field";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { linesOf } from "../shared/lines";
import { ModelGate } from "../shared/ModelGate";
import { RunButton } from "../shared/RunButton";
import { useRun } from "../shared/useRun";
import { rerankTexts } from "./texts";

interface Ranking {
  results: readonly { index: number; relevance_score: number }[];
  scored_by: string;
}

interface Ranked extends Ranking {
  documents: readonly string[];
}

export default function RerankPanel() {
  return (
    <ModelGate capabilities={["rerank", "embedding"]}>
      {(model, select) => <Rerank model={model} select={select} />}
    </ModelGate>
  );
}

function Rerank({ model, select }: { model: string; select: ReactNode }) {
  const texts = useTexts(rerankTexts);
  const [query, setQuery] = useState(texts.exampleQuery);
  const [typed, setTyped] = useState(texts.example);
  const [ranked, setRanked] = useState<Ranked | null>(null);
  const { busy, error, run, stop } = useRun();
  const documents = linesOf(typed);
  const begin = (event: FormEvent) => {
    event.preventDefault();
    void run(async (signal) => {
      const ranking = await fetchJson<Ranking>("/v1/rerank", { model, query, documents }, { signal });
      setRanked({ ...ranking, documents });
    });
  };
  return (
    <form onSubmit={begin} className="flex flex-col gap-5">
      <div className="grid gap-5 md:grid-cols-[minmax(0,1fr)_16rem]">
        <div className="flex flex-col gap-3">
          <TextField label={texts.query} value={query} onChange={(event) => setQuery(event.target.value)} />
          <TextAreaField
            label={texts.documents}
            hint={texts.documentsHint(documents.length)}
            rows={6}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </div>
        <div className="flex flex-col gap-3">
          {select}
          <div>
            <RunButton busy={busy} onStop={stop} disabled={query.trim() === "" || documents.length === 0} />
          </div>
        </div>
      </div>
      {error !== null && <ErrorNotice error={error} />}
      {ranked === null ? (
        <p className="rounded-md border border-dashed border-line-strong/60 p-8 text-center text-muted">{texts.none}</p>
      ) : (
        <RankedList ranked={ranked} />
      )}
    </form>
  );
}

function RankedList({ ranked }: { ranked: Ranked }) {
  const texts = useTexts(rerankTexts);
  const format = useFormat();
  const scores = ranked.results.map((each) => each.relevance_score);
  const [most, least] = [Math.max(...scores), Math.min(0, ...scores)];
  const width = (score: number) => (most > least ? (100 * (score - least)) / (most - least) : 0);
  return (
    <section aria-live="polite">
      <h2 className="text-sm font-semibold">{texts.result}</h2>
      <ol className="mt-2 divide-y divide-line border-y border-line">
        {ranked.results.map(({ index, relevance_score: score }, place) => (
          <li key={index} className="grid grid-cols-[1.5rem_minmax(0,1fr)_4rem] items-center gap-3 py-2.5">
            <span className="text-right font-medium text-muted tabular-nums">{place + 1}</span>
            <div className="min-w-0">
              <p className="wrap-anywhere">{ranked.documents[index]}</p>
              <div aria-hidden className="mt-1.5 h-1 overflow-hidden rounded-full bg-line">
                <div className="h-full rounded-full bg-accent" style={{ width: `${width(score)}%` }} />
              </div>
            </div>
            <span className="text-right tabular-nums">
              <span className="sr-only">{texts.score} </span>
              {format.number(score, 3)}
            </span>
          </li>
        ))}
      </ol>
      <p className="mt-3 text-sm text-muted">
        {ranked.scored_by.startsWith("embedding") ? texts.by.embeddings : texts.by.other}
      </p>
    </section>
  );
}
