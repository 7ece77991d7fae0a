import { CircleCheck, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { useFormat } from "@/i18n/format";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { parameterSize } from "../facts";
import { pullTexts } from "./texts";
import { type Estimate, verdictOf } from "./verdict";

/** Whether a model runs and fits here, what it takes, and how fast it would be. */
export function VerdictCard({ estimate }: { estimate: Estimate }) {
  const texts = useTexts(pullTexts);
  const words = useServerWords();
  const format = useFormat();
  const verdict = verdictOf(estimate);
  const { memory, speed, disk } = estimate;
  const good = verdict === "good";
  const title = {
    good: `${texts.runs} · ${texts.fits}`,
    runsNot: texts.runsNot,
    noRoom: texts.noRoom,
    fitsNot: texts.fitsNot,
  };
  const model = [
    estimate.architecture,
    parameterSize(estimate.parameters, format),
    estimate.quantization,
    estimate.format === "gguf" ? "GGUF" : estimate.format,
  ];
  const context = memory ? format.number(memory.context) : "";
  return (
    <section className="rounded-md border border-line">
      <h3
        className={`flex items-center gap-2 rounded-t-md px-3 py-2 font-medium ${good ? "bg-success-soft text-success" : "bg-warning-soft text-warning"}`}
      >
        {good ? <CircleCheck aria-hidden className="size-4" /> : <TriangleAlert aria-hidden className="size-4" />}
        {title[verdict]}
      </h3>
      {!estimate.runs && estimate.why ? (
        <p className="px-3 pt-2 wrap-anywhere">
          {words(estimate.why)}. {estimate.nearest ? texts.nearest(estimate.nearest) : ""}
        </p>
      ) : null}
      <dl className="flex flex-col gap-1.5 px-3 py-2">
        <Fact name={texts.model}>{model.filter(Boolean).join(" · ")}</Fact>
        <Fact name={texts.download}>
          {disk.needed > 0 ? format.bytes(disk.needed) : texts.nothing}
          <Aside>{texts.free(format.bytes(disk.free))}</Aside>
        </Fact>
        {memory && (
          <Fact name={texts.memory}>
            {texts.needHave(format.bytes(memory.needed), format.bytes(memory.available))}
            {memory.context > 0 && <Aside>{texts.forContext(context)}</Aside>}
            {memory.fitting_context > memory.context && (
              <Aside>{texts.longest(format.number(memory.fitting_context))}</Aside>
            )}
          </Fact>
        )}
        {speed && (
          <Fact name={texts.speed}>
            {texts.tokensPerSecond(format.number(speed.tokens_per_second, speed.tokens_per_second < 10 ? 1 : 0))}
            {memory && memory.context > 0 && (
              <Aside>{texts.slower(format.number(speed.at_context, speed.at_context < 10 ? 1 : 0))}</Aside>
            )}
          </Fact>
        )}
      </dl>
      {(estimate.notes ?? []).map((note) => (
        <p key={note} className="px-3 pb-2 text-sm text-muted wrap-anywhere">
          {words(note)}
        </p>
      ))}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[88px_1fr] gap-2">
      <dt className="text-muted">{name}</dt>
      <dd className="tabular-nums wrap-anywhere">{children}</dd>
    </div>
  );
}

const Aside = ({ children }: { children: ReactNode }) => <span className="block text-sm text-muted">{children}</span>;
