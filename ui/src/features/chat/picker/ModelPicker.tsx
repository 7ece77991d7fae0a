import { useQuery } from "@tanstack/react-query";
import { ChevronDown } from "lucide-react";
import { useState } from "react";
import { installedModels, loadedModels, titleOf } from "@/api/models";
import { Badge } from "@/components/Badge";
import { Button } from "@/components/Button";
import { ErrorNotice } from "@/components/ErrorNotice";
import { Popover } from "@/components/Popover";
import { useTexts } from "@/i18n/texts";
import { chatTexts } from "../texts";
import { ModelList } from "./ModelList";

/** The model that answers, and the way to another: which are loaded, how large they are, whether they fit. */
export function ModelPicker({ model, onChange }: { model: string | null; onChange: (model: string) => void }) {
  const texts = useTexts(chatTexts);
  const [open, setOpen] = useState(false);
  const installed = useQuery(installedModels);
  const loaded = useQuery(loadedModels);
  const isLoaded = loaded.data?.some(({ name }) => name === model) === true;
  const missing = model !== null && installed.data !== undefined && !installed.data.some(({ name }) => name === model);
  return (
    <Popover
      label={texts.models}
      open={open}
      onOpenChange={setOpen}
      className="w-96 p-1.5!"
      trigger={
        <Button look="ghost" className="min-w-0 shrink! px-2! text-lg! font-semibold! max-sm:text-base!">
          <span className="truncate" title={model ?? undefined}>
            {model === null ? texts.chooseModel : titleOf(model)}
          </span>
          {isLoaded && (
            <span role="img" aria-label={texts.loaded} className="size-2 shrink-0 rounded-full bg-success" />
          )}
          {missing && <Badge tone="warning">{texts.notInstalled}</Badge>}
          <ChevronDown aria-hidden className="size-4 shrink-0 text-muted" />
        </Button>
      }
    >
      {installed.error !== null && <ErrorNotice error={installed.error} onRetry={() => void installed.refetch()} />}
      <ModelList
        models={(installed.data ?? []).filter(({ capabilities }) => capabilities.includes("completion"))}
        chosen={model}
        onChoose={(name) => {
          onChange(name);
          setOpen(false);
        }}
      />
    </Popover>
  );
}
