import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { modelEstimate } from "@/api/models";
import { CopyButton } from "@/components/CopyButton";
import { useFormat } from "@/i18n/format";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { isAdapter, parameterSize, toolName } from "../facts";
import type { Model } from "../library";
import { LoadFailure } from "../list/LoadFailure";
import { ModelState } from "../list/ModelState";
import { modelsTexts } from "../texts";
import { detailTexts } from "./texts";

/** What a model is, where it lies, and what it takes. */
export function Facts({ model }: { model: Model }) {
  const texts = useTexts(detailTexts);
  const words = useTexts(modelsTexts);
  const said = useServerWords();
  const format = useFormat();
  const { data: estimate } = useQuery({
    ...modelEstimate(model.name),
    enabled: !isAdapter(model) && model.unusable === "",
  });
  const speed = estimate?.speed?.tokens_per_second ?? 0;
  const memory = estimate?.memory;
  const rows: [string, ReactNode][] = [
    [
      texts.loaded,
      <div key="state">
        <ModelState model={model} />
        <LoadFailure model={model} />
      </div>,
    ],
    [texts.unusable, said(model.unusable)],
    [texts.family, model.family],
    [texts.parameterCount, parameterSize(model.parameters, format)],
    [texts.quantization, model.quantization],
    [texts.format, model.format === "gguf" ? "GGUF" : model.format],
    [texts.size, format.bytes(model.size)],
    [texts.context, model.context_length > 0 ? words.tokens(format.number(model.context_length)) : ""],
    [texts.capabilities, model.capabilities.map((each) => words.capabilities[each] ?? each).join(", ")],
    [texts.memory, memory ? texts.memoryValue(format.bytes(memory.needed), format.number(memory.context)) : ""],
    [texts.speed, speed > 0 ? texts.speedValue(format.number(speed, speed < 10 ? 1 : 0)) : ""],
    [texts.backend, model.loaded?.backend ?? ""],
    [texts.source, model.source],
    [texts.aliases, model.aliases.filter((alias) => alias !== model.source).join(", ")],
    [texts.adapters, model.adapters.join(", ")],
    [texts.fits, isAdapter(model) ? model.fits.join(", ") : ""],
    [texts.shares, model.shares.join(", ")],
    [texts.store, model.tool === "" ? "" : toolName(model.tool)],
    [texts.files, model.path === "" ? "" : <Copied key="path" text={model.path} label={texts.files} />],
    [texts.digest, <Copied key="digest" text={model.digest} label={texts.digest} />],
    [texts.license, model.license],
    [texts.modified, format.date(new Date(model.modified * 1000))],
  ];
  return (
    <dl className="flex flex-col">
      {rows
        .filter(([, value]) => value !== "")
        .map(([name, value]) => (
          <div
            key={name}
            className="grid grid-cols-[120px_1fr] gap-x-3 border-t border-line py-1.5 first:border-t-0 sm:grid-cols-[180px_1fr]"
          >
            <dt className="text-muted">{name}</dt>
            <dd className="min-w-0 wrap-anywhere">{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function Copied({ text, label }: { text: string; label: string }) {
  const texts = useTexts(detailTexts);
  return (
    <span className="flex items-start gap-2">
      <code className="min-w-0 flex-1 font-mono text-sm wrap-anywhere">{text}</code>
      <CopyButton text={text} label={texts.copyPart(label)} />
    </span>
  );
}
