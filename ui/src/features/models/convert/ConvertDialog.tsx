import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Select, TextField } from "@/components/Field";
import { Spinner } from "@/components/Spinner";
import { Switch } from "@/components/Switch";
import { commonTexts } from "@/i18n/common";
import { useFormat } from "@/i18n/format";
import { useTexts } from "@/i18n/texts";
import { JobProgressCard } from "../jobs/JobProgressCard";
import { useJob, useStartJob } from "../jobs/useJobs";
import { libraryQuery, type Model } from "../library";
import { type ConversionEstimate, defaultName, firstChoice, requantizes, shownChoices } from "./choices";
import { conversionQuery } from "./conversionQuery";
import { Fallbacks } from "./Fallbacks";
import { TypeList } from "./TypeList";
import { convertTexts } from "./texts";

type Format = ConversionEstimate["format"];

/** Makes a model in another format or other types: what it will be is known before it is begun. */
export function ConvertDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const texts = useTexts(convertTexts);
  const common = useTexts(commonTexts);
  const format = useFormat();
  const [target, setTarget] = useState<Format>("gguf");
  const [type, setType] = useState<string | null>(null);
  const [name, setName] = useState<string | null>(null);
  const [all, setAll] = useState(false);
  const [again, setAgain] = useState(false);
  const query = useQuery({ ...conversionQuery(model.name, target), placeholderData: keepPreviousData });
  const { data: library } = useQuery(libraryQuery);
  const start = useStartJob();
  const job = useJob(start.data?.id ?? null) ?? start.data;
  const estimate = query.isPlaceholderData ? undefined : query.data;
  const choice = estimate?.choices.find((each) => each.type === type) ?? (estimate && firstChoice(estimate));
  const newName = name ?? (choice ? defaultName(model.name, choice.type, target) : "");
  const taken = library?.models.some((each) => each.name.toLowerCase() === newName.trim().toLowerCase());
  const asks = estimate !== undefined && choice !== undefined && requantizes(estimate, choice);
  const noRoom = estimate !== undefined && choice !== undefined && choice.size > estimate.free;
  const ready = choice !== undefined && newName.trim() !== "" && (!asks || again) && !noRoom;
  const begin = () => {
    if (!ready) return;
    const body = { model: model.name, format: target, type: choice.type, name: newName.trim(), requantize: asks };
    start.mutate({ kind: "convert", body });
  };
  const actions = job ? (
    <Button look="primary" onClick={onClose}>
      {texts.close}
    </Button>
  ) : (
    <>
      <Button onClick={onClose}>{common.cancel}</Button>
      <Button look="primary" disabled={!ready} busy={start.isPending} onClick={begin}>
        {texts.make}
      </Button>
    </>
  );
  return (
    <Dialog
      open
      onClose={onClose}
      title={texts.title(model.name)}
      {...(job ? {} : { description: texts.text })}
      actions={actions}
    >
      {job ? (
        <JobProgressCard job={job} />
      ) : (
        <div className="flex flex-col gap-4">
          <Select
            label={texts.format}
            value={target}
            options={(["gguf", "mlx"] as const).map((value) => ({ value, label: texts.formats[value] }))}
            onChange={(event) => {
              setTarget(event.target.value === "mlx" ? "mlx" : "gguf");
              setType(null);
            }}
            hint={`${texts.formatHints[target]} ${texts.now(model.quantization, format.bytes(model.size))}`}
          />
          {query.isFetching && estimate === undefined && (
            <p className="flex items-center gap-2 text-muted" role="status">
              <Spinner /> {texts.estimating}
            </p>
          )}
          {query.error && <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />}
          {estimate && choice && (
            <>
              <div>
                <TypeList
                  estimate={estimate}
                  choices={shownChoices(estimate, all)}
                  chosen={choice.type}
                  onChoose={setType}
                />
                <Button size="small" look="ghost" className="mt-1" onClick={() => setAll(!all)}>
                  {all ? texts.fewer : texts.more}
                </Button>
              </div>
              <Fallbacks choice={choice} />
              {asks && (
                <Switch
                  label={texts.requantize}
                  hint={texts.requantizeHint(estimate.quantization)}
                  checked={again}
                  onChange={setAgain}
                />
              )}
              {noRoom && (
                <p role="alert" className="text-danger">
                  {texts.noRoom(format.bytes(choice.size), format.bytes(estimate.free))}
                </p>
              )}
              <TextField
                label={texts.name}
                value={newName}
                autoComplete="off"
                spellCheck={false}
                hint={taken === true ? texts.taken : undefined}
                onChange={(event) => setName(event.target.value)}
              />
            </>
          )}
          {start.error && <ErrorNotice error={start.error} />}
        </div>
      )}
    </Dialog>
  );
}
