import { useQuery } from "@tanstack/react-query";
import { Columns2, X } from "lucide-react";
import { installedModels } from "@/api/models";
import { IconButton } from "@/components/Button";
import { Menu } from "@/components/Menu";
import { useTexts } from "@/i18n/texts";
import { compareTexts } from "./texts";
import type { Compare } from "./useCompare";

/** Chooses a second model that answers as well. */
export function CompareButton({ compare, model }: { compare: Compare; model: string | null }) {
  const texts = useTexts(compareTexts);
  const { data = [] } = useQuery(installedModels);
  const others = data.filter(({ name, capabilities }) => capabilities.includes("completion") && name !== model);
  const { second, setSecond, shown, possible, showAgain } = compare;
  if (second !== null) {
    return (
      <span className="flex min-w-0 items-center rounded-md bg-accent-soft pl-2 text-sm text-accent-ink">
        <span className="truncate">{texts.with(second)}</span>
        <IconButton label={texts.stop(second)} size="small" onClick={() => setSecond(null)}>
          <X />
        </IconButton>
      </span>
    );
  }
  return (
    <Menu
      align="start"
      trigger={
        <IconButton label={texts.compare}>
          <Columns2 />
        </IconButton>
      }
      entries={[
        ...(possible !== null && shown === null
          ? [{ label: texts.again, onSelect: showAgain }, "separator" as const]
          : []),
        ...(others.length === 0 ? [{ label: texts.none, onSelect: () => {}, disabled: true }] : []),
        ...others.map(({ name }) => ({ label: name, onSelect: () => setSecond(name) })),
      ]}
    />
  );
}
