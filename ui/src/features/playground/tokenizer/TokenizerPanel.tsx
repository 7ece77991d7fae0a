import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type ReactNode, useDeferredValue, useEffect, useState } from "react";
import { api, unwrap } from "@/api/client";
import { CopyButton } from "@/components/CopyButton";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextAreaField } from "@/components/Field";
import { Switch } from "@/components/Switch";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { ModelGate } from "../shared/ModelGate";
import { TokenChips } from "./TokenChips";
import { tokenizerTexts } from "./texts";

const PAUSE_MS = 250;

export default function TokenizerPanel() {
  return (
    <ModelGate capabilities={["completion", "embedding", "rerank"]}>
      {(model, select) => <Tokenizer model={model} select={select} />}
    </ModelGate>
  );
}

/** The text once nothing was typed for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return useDeferredValue(settled);
}

function Tokenizer({ model, select }: { model: string; select: ReactNode }) {
  const texts = useTexts(tokenizerTexts);
  const format = useFormat();
  const [text, setText] = useState(texts.example);
  const [special, setSpecial] = useState(true);
  const [withIds, setWithIds] = useState(true);
  const settled = useSettled(text);
  const made = useQuery({
    queryKey: ["tokenize", model, settled, special],
    queryFn: ({ signal }) =>
      unwrap(
        api.POST("/tokenize", {
          body: { model, prompt: settled, add_special_tokens: special, return_token_strs: true },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const count = made.data?.count ?? 0;
  const characters = [...settled].length;
  const facts: [string, string][] = [
    [texts.tokens, format.number(count)],
    [texts.characters, format.number(characters)],
    [texts.bytes, format.number(new TextEncoder().encode(settled).length)],
    [texts.perToken, count === 0 ? "–" : format.number(characters / count, 2)],
    [texts.context, made.data === undefined ? "–" : `${format.number((100 * count) / made.data.max_model_len, 1)} %`],
  ];
  return (
    <div className="flex flex-col gap-5">
      <div className="grid gap-5 md:grid-cols-[minmax(0,1fr)_16rem]">
        <TextAreaField label={texts.text} rows={6} value={text} onChange={(event) => setText(event.target.value)} />
        <div className="flex flex-col gap-3">
          {select}
          <Switch label={texts.special} hint={texts.specialHint} checked={special} onChange={setSpecial} />
          <Switch label={texts.ids} checked={withIds} onChange={setWithIds} />
        </div>
      </div>
      {made.error !== null && <ErrorNotice error={made.error} onRetry={() => void made.refetch()} />}
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-5">
        {facts.map(([name, value]) => (
          <div key={name} className="rounded-md border border-line px-3 py-2">
            <dt className="text-sm text-muted">{name}</dt>
            <dd className="text-lg font-semibold tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
      {made.data !== undefined && (
        <section aria-label={texts.tokens} className="rounded-md border border-line">
          <header className="flex items-center justify-between border-b border-line py-1 pr-1 pl-3">
            <h2 className="text-sm font-semibold">{texts.tokens}</h2>
            <CopyButton text={() => JSON.stringify(made.data.tokens)} label={texts.copyIds} />
          </header>
          <div className="p-3">
            <TokenChips ids={made.data.tokens} pieces={made.data.token_strs ?? []} withIds={withIds} />
          </div>
        </section>
      )}
    </div>
  );
}
