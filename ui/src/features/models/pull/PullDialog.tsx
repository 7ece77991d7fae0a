import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, unwrap } from "@/api/client";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { ErrorNotice } from "@/components/ErrorNotice";
import { TextField } from "@/components/Field";
import { Spinner } from "@/components/Spinner";
import { Switch } from "@/components/Switch";
import { useTexts } from "@/i18n/texts";
import { JobProgressCard } from "../jobs/JobProgressCard";
import { useJob, useStartJob } from "../jobs/useJobs";
import { libraryQuery } from "../library";
import { pullTexts } from "./texts";
import { VerdictCard } from "./VerdictCard";
import { verdictOf } from "./verdict";

interface PullDialogProps {
  /** A name to begin with. */
  name: string;
  onClose: () => void;
}

/** Gets a model: its name, then the verdict, then the progress. */
export function PullDialog({ name: given, onClose }: PullDialogProps) {
  const texts = useTexts(pullTexts);
  const [name, setName] = useState(given);
  const [insecure, setInsecure] = useState(false);
  const wanted = name.trim();
  const estimate = useMutation({
    mutationFn: (model: string) => unwrap(api.POST("/api/estimate", { body: { model, insecure } })),
  });
  const start = useStartJob();
  const job = useJob(start.data?.id ?? null) ?? start.data;
  const isChecked = estimate.variables === wanted && (estimate.isSuccess || estimate.isError);
  const verdict = estimate.data && isChecked ? verdictOf(estimate.data) : null;
  const get = () => start.mutate({ kind: "pull", body: { model: wanted, insecure } });
  const again = () => {
    start.reset();
    estimate.reset();
    setName("");
  };
  const actions = job ? (
    <>
      <Button onClick={again}>{texts.another}</Button>
      <Button look="primary" onClick={onClose}>
        {texts.close}
      </Button>
    </>
  ) : (
    <>
      <Button
        type="submit"
        form="pull"
        look={verdict === null ? "primary" : "secondary"}
        disabled={wanted === ""}
        busy={estimate.isPending}
      >
        {texts.check}
      </Button>
      <Button
        look={verdict === "good" ? "primary" : "secondary"}
        disabled={wanted === "" || estimate.isPending}
        busy={start.isPending}
        onClick={get}
      >
        {isChecked && verdict !== "good" ? texts.getAnyway : texts.get}
      </Button>
    </>
  );
  return (
    <Dialog open onClose={onClose} title={texts.title} {...(job ? {} : { description: texts.text })} actions={actions}>
      {job ? (
        <JobProgressCard job={job} />
      ) : (
        <div className="flex flex-col gap-3">
          <form
            id="pull"
            onSubmit={(event) => {
              event.preventDefault();
              estimate.mutate(wanted);
            }}
          >
            <TextField
              label={texts.name}
              value={name}
              autoFocus
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              onChange={(event) => setName(event.target.value)}
            />
          </form>
          {wanted === "" && <Examples onChoose={setName} />}
          <Here name={wanted} />
          {estimate.isPending && (
            <p className="flex items-center gap-2 text-muted" role="status">
              <Spinner /> {texts.checking}
            </p>
          )}
          {isChecked && estimate.data && <VerdictCard estimate={estimate.data} />}
          {isChecked && estimate.error && <ErrorNotice error={estimate.error} />}
          {start.error && <ErrorNotice error={start.error} />}
          {wanted.includes("/") && !wanted.startsWith("/") && !wanted.startsWith("https:") && (
            <Switch label={texts.insecure} hint={texts.insecureHint} checked={insecure} onChange={setInsecure} />
          )}
        </div>
      )}
    </Dialog>
  );
}

function Here({ name }: { name: string }) {
  const texts = useTexts(pullTexts);
  const { data } = useQuery(libraryQuery);
  const key = name.toLowerCase();
  const known = data?.models.some((model) => [model.name, ...model.aliases].some((each) => each.toLowerCase() === key));
  return known === true ? <p className="text-sm text-muted">{texts.here}</p> : null;
}

function Examples({ onChoose }: { onChoose: (name: string) => void }) {
  const texts = useTexts(pullTexts);
  return (
    <div>
      <p className="mb-1 text-sm text-muted">{texts.hint}</p>
      <ul className="flex flex-col">
        {Object.entries(texts.examples).map(([name, about]) => (
          <li key={name}>
            <button
              type="button"
              onClick={() => onChoose(name)}
              className="flex w-full flex-wrap items-baseline gap-x-3 rounded-sm px-2 py-1 text-left hover:bg-hover pointer-coarse:min-h-11"
            >
              <code className="font-mono text-sm wrap-anywhere">{name}</code>
              <span className="text-sm text-muted">{about}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
