import type { ReactNode } from "react";
import { Card } from "@/components/Card";
import { ProgressBar } from "@/components/ProgressBar";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import type { ServerSetup } from "./queries";
import { settingsTexts } from "./texts";

/** What runs here. */
export function AboutCard({ setup }: { setup: ServerSetup }) {
  const texts = useTexts(settingsTexts);
  const format = useFormat();
  const used = setup.memory_total - setup.memory_available;
  return (
    <Card title={texts.about}>
      <dl className="grid grid-cols-[max-content_1fr] gap-x-6 gap-y-2">
        <Fact name={texts.version}>{setup.version}</Fact>
        <Fact name={texts.mlx}>{setup.mlx}</Fact>
        <Fact name={texts.python}>{setup.python}</Fact>
        <Fact name={texts.machine}>
          {setup.machine}, {texts.cores(setup.cores)}
        </Fact>
        <Fact name={texts.memory}>
          {texts.memoryOf(format.bytes(setup.memory_available), format.bytes(setup.memory_total))}
          <div className="mt-1.5 max-w-60">
            <ProgressBar label={texts.memory} value={used / setup.memory_total} />
          </div>
        </Fact>
        <Fact name={texts.loaded}>
          {setup.engines.length === 0
            ? texts.nothingLoaded
            : setup.engines.map((engine) => (
                <p key={`${engine.model} ${engine.backend}`}>
                  {texts.engine(engine.model, engine.backend, format.bytes(engine.memory))}
                </p>
              ))}
        </Fact>
        <Fact name={texts.home}>
          <code className="font-mono text-sm">{setup.home}</code>
        </Fact>
        <Fact name={texts.api}>
          <a href="/docs" className="text-accent-ink underline underline-offset-2">
            {texts.apiLink}
          </a>
        </Fact>
      </dl>
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 wrap-anywhere">{children}</dd>
    </>
  );
}
