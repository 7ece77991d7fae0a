import { ChevronLeft, ChevronRight } from "lucide-react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import type { Message } from "../model";
import { chatTexts } from "../texts";
import { useMessageActions } from "./actions";

/** Which of the branches one is on, and the way to the others. */
export function BranchSwitch({ message: { id, siblings } }: { message: Message }) {
  const texts = useTexts(chatTexts);
  const { showBranch } = useMessageActions();
  const at = siblings.indexOf(id);
  if (siblings.length < 2) return null;
  const step = (label: string, other: string | undefined, icon: React.ReactNode) => (
    <IconButton label={label} size="small" disabled={other === undefined} onClick={() => other && showBranch(other)}>
      {icon}
    </IconButton>
  );
  return (
    <fieldset className="flex items-center text-sm text-muted tabular-nums">
      <legend className="sr-only">{texts.branches}</legend>
      {step(texts.previousBranch, siblings[at - 1], <ChevronLeft />)}
      <span>
        {at + 1}/{siblings.length}
      </span>
      {step(texts.nextBranch, siblings[at + 1], <ChevronRight />)}
    </fieldset>
  );
}
