import { Wrench } from "lucide-react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { panelTexts } from "../panels/texts";
import { useTools } from "./ToolsProvider";
import { useCanCall } from "./useCanCall";

/** Says how many tools the next answer may call, and leads to them. */
export function ToolsButton({ model, onClick }: { model: string | null; onClick: () => void }) {
  const texts = useTexts(panelTexts);
  const { active } = useTools();
  const able = useCanCall()(model) !== false;
  const count = able ? active.length : 0;
  return (
    <IconButton
      label={able || model === null ? texts.toolsOn(active.length) : texts.cantCall(model)}
      onClick={onClick}
      className={count > 0 ? "w-auto! px-2 text-accent-ink!" : ""}
    >
      <Wrench />
      {count > 0 && <span className="text-sm tabular-nums">{count}</span>}
    </IconButton>
  );
}
