import { useQuery } from "@tanstack/react-query";
import { FolderSearch } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextField } from "@/components/Field";
import { Spinner } from "@/components/Spinner";
import { commonTexts } from "@/i18n/common";
import { useServerWords } from "@/i18n/server/serverWords";
import { useTexts } from "@/i18n/texts";
import { toolName } from "../facts";
import { JobProgressCard } from "../jobs/JobProgressCard";
import { useJob, useStartJob } from "../jobs/useJobs";
import { StoreRow } from "./StoreRow";
import { byTool, canImport, type StoreModel, storesQuery } from "./stores";
import { importTexts } from "./texts";

/** Brings in models of other tools, where they are. */
export function ImportDialog({ onClose }: { onClose: () => void }) {
  const texts = useTexts(importTexts);
  const common = useTexts(commonTexts);
  const words = useServerWords();
  const stores = useQuery(storesQuery);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [name, setName] = useState("");
  const start = useStartJob();
  const job = useJob(start.data?.id ?? null) ?? start.data;
  const choose = (models: readonly StoreModel[], on: boolean) => {
    const next = new Set(chosen);
    for (const model of models.filter(canImport)) on ? next.add(model.name) : next.delete(model.name);
    setChosen(next);
  };
  const begin = () => {
    const own = chosen.size === 1 && name.trim() !== "" ? { name: name.trim() } : {};
    start.mutate({ kind: "import", body: { models: [...chosen], ...own } });
  };
  const more = () => {
    start.reset();
    setChosen(new Set());
    void stores.refetch();
  };
  const actions = job ? (
    <>
      <Button onClick={more}>{texts.more}</Button>
      <Button look="primary" onClick={onClose}>
        {texts.close}
      </Button>
    </>
  ) : (
    <>
      <Button onClick={onClose}>{common.cancel}</Button>
      <Button look="primary" disabled={chosen.size === 0} busy={start.isPending} onClick={begin}>
        {chosen.size === 0 ? texts.actionNone : texts.action(chosen.size)}
      </Button>
    </>
  );
  return (
    <Dialog open onClose={onClose} title={texts.title} description={texts.text} actions={actions} size="large">
      {job ? (
        <JobProgressCard job={job} />
      ) : (
        <div className="flex flex-col gap-4">
          {stores.isPending && (
            <p className="flex items-center gap-2 text-muted" role="status">
              <Spinner /> {texts.searching}
            </p>
          )}
          {stores.error && <ErrorNotice error={stores.error} onRetry={() => void stores.refetch()} />}
          {start.error && <ErrorNotice error={start.error} />}
          {stores.data?.models.length === 0 && (
            <EmptyState icon={<FolderSearch />} title={texts.nothing}>
              {texts.nothingText}
            </EmptyState>
          )}
          {byTool(stores.data?.models ?? []).map(([tool, models]) => (
            <Tool key={tool} tool={tool} models={models} chosen={chosen} onChoose={choose} />
          ))}
          {chosen.size === 1 && (
            <TextField
              label={texts.name}
              hint={texts.nameHint}
              value={name}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => setName(event.target.value)}
            />
          )}
          {(stores.data?.problems ?? []).length > 0 && (
            <div className="text-sm text-muted">
              <p className="font-medium">{texts.problems}</p>
              <ul>
                {stores.data?.problems.map((problem) => (
                  <li key={problem} className="wrap-anywhere">
                    {words(problem)}
                  </li>
                ))}
              </ul>
            </div>
          )}
        </div>
      )}
    </Dialog>
  );
}

interface ToolProps {
  tool: string;
  models: readonly StoreModel[];
  chosen: ReadonlySet<string>;
  onChoose: (models: readonly StoreModel[], on: boolean) => void;
}

function Tool({ tool, models, chosen, onChoose }: ToolProps) {
  const texts = useTexts(importTexts);
  const possible = models.filter(canImport);
  const all = possible.length > 0 && possible.every(({ name }) => chosen.has(name));
  return (
    <fieldset className="rounded-md border border-line">
      <legend className="sr-only">{toolName(tool)}</legend>
      <div className="flex min-h-10 items-center gap-3 border-b border-line px-3">
        {possible.length > 1 && (
          <input
            type="checkbox"
            aria-label={texts.chooseAll(toolName(tool))}
            className="size-4 accent-accent"
            checked={all}
            onChange={() => onChoose(possible, !all)}
          />
        )}
        <span aria-hidden className="font-semibold">
          {toolName(tool)}
        </span>
      </div>
      <ul>
        {models.map((model) => (
          <StoreRow
            key={model.name}
            model={model}
            chosen={chosen.has(model.name)}
            onChoose={(on) => onChoose([model], on)}
          />
        ))}
      </ul>
    </fieldset>
  );
}
