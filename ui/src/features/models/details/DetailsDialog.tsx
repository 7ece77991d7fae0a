import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { CopyButton } from "@/components/CopyButton";
import { Dialog } from "@/components/Dialog";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Skeleton } from "@/components/Skeleton";
import { Tabs } from "@/components/Tabs";
import { useTexts } from "@/i18n/texts";
import type { Model } from "../library";
import { LoadButton } from "../list/LoadButton";
import { Facts } from "./Facts";
import { type Shown, showQuery } from "./showQuery";
import { detailTexts } from "./texts";

const PARTS = ["template", "system", "parameters", "modelfile", "license"] as const;

interface DetailsDialogProps {
  /** Undefined where it is not there any more. */
  model: Model | undefined;
  name: string;
  onClose: () => void;
}

/** Everything known of a model. */
export function DetailsDialog({ model, name, onClose }: DetailsDialogProps) {
  const texts = useTexts(detailTexts);
  return (
    <Dialog
      open
      onClose={onClose}
      title={name}
      size="large"
      {...(model === undefined ? {} : { actions: <LoadButton model={model} /> })}
    >
      {model === undefined ? <p className="text-muted">{texts.missing(name)}</p> : <Details model={model} />}
    </Dialog>
  );
}

function Details({ model }: { model: Model }) {
  const texts = useTexts(detailTexts);
  const [tab, setTab] = useState("facts");
  const { data, error, refetch } = useQuery(showQuery(model.name, model.digest));
  const part = (name: string, text: (shown: Shown) => string): ReactNode => {
    if (error) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
    return data === undefined ? <Skeleton className="h-40" /> : <Part name={name} text={text(data)} />;
  };
  const tabs = [
    { value: "facts", label: texts.facts, content: <Facts model={model} /> },
    ...PARTS.map((value) => ({ value, label: texts[value], content: part(texts[value], (shown) => shown[value]) })),
    {
      value: "metadata",
      label: texts.metadata,
      content: part(texts.metadata, ({ model_info }) =>
        Object.entries(model_info)
          .filter(([, value]) => value !== null)
          .map(([key, value]) => `${key}  ${JSON.stringify(value)}`)
          .join("\n"),
      ),
    },
  ];
  return <Tabs label={texts.views} value={tab} onChange={setTab} tabs={tabs} className="min-h-96" />;
}

function Part({ name, text }: { name: string; text: string }) {
  const texts = useTexts(detailTexts);
  if (text.trim() === "") return <p className="text-muted">{texts.none}</p>;
  return (
    <div className="relative">
      <div className="absolute top-2 right-2">
        <CopyButton text={text} label={texts.copyPart(name)} />
      </div>
      <pre
        tabIndex={0}
        className="max-h-[60dvh] overflow-auto rounded-md bg-sunken p-3 pr-12 font-mono text-sm whitespace-pre-wrap wrap-anywhere"
      >
        {text}
      </pre>
    </div>
  );
}
