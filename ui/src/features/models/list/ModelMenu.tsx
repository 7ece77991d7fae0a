import { Copy, Ellipsis, Info, Pin, RefreshCw, Timer, Trash2, Upload } from "lucide-react";
import { IconButton } from "@/components/Button";
import { Menu, type MenuEntry } from "@/components/Menu";
import { useTexts } from "@/i18n/texts";
import { actionTexts } from "../actions/texts";
import { useModelActions } from "../actions/useModelActions";
import { isAdapter } from "../facts";
import type { Model } from "../library";

export type ModelTask = "details" | "convert" | "copy" | "push" | "delete";

/** Everything that can be done with a model, but loading it. */
export function ModelMenu({ model, onTask }: { model: Model; onTask: (task: ModelTask) => void }) {
  const texts = useTexts(actionTexts);
  const { load } = useModelActions(model.name);
  const pinned = model.loaded?.pinned === true;
  const keeps = [
    [texts.keeps.m5, "5m"],
    [texts.keeps.m30, "30m"],
    [texts.keeps.h2, "2h"],
    [texts.keeps.ever, -1],
  ] as const;
  const runs = !isAdapter(model) && model.unusable === "";
  const loading: MenuEntry[] = [
    { label: texts.pin, icon: <Pin />, checked: pinned, onSelect: () => load.mutate({ pin: !pinned }) },
    {
      label: texts.keep,
      icon: <Timer />,
      entries: keeps.map(([label, keepAlive]) => ({ label, onSelect: () => load.mutate({ keepAlive }) })),
    },
    "separator",
  ];
  const entries: MenuEntry[] = [
    { label: texts.details, icon: <Info />, onSelect: () => onTask("details") },
    ...(runs ? loading : []),
    ...(isAdapter(model)
      ? []
      : [{ label: texts.convert, icon: <RefreshCw />, onSelect: () => onTask("convert") } satisfies MenuEntry]),
    { label: texts.copy, icon: <Copy />, onSelect: () => onTask("copy") },
    { label: texts.push, icon: <Upload />, onSelect: () => onTask("push") },
    "separator",
    { label: texts.remove, icon: <Trash2 />, danger: true, onSelect: () => onTask("delete") },
  ];
  return (
    <Menu
      entries={entries}
      trigger={
        <IconButton label={texts.more(model.name)}>
          <Ellipsis />
        </IconButton>
      }
    />
  );
}
