import { RotateCcw } from "lucide-react";
import type { ReactNode } from "react";
import { IconButton } from "@/components/Button";
import { useTexts } from "@/i18n/texts";
import { parameterTexts } from "./texts";

interface ParameterRowProps {
  name: string;
  /** The default, in words. */
  fallback: string;
  ofModel: boolean;
  changed: boolean;
  onReset: () => void;
  children: ReactNode;
}

/** A parameter: its control, what holds where it is not changed, and the way back there. */
export function ParameterRow({ name, fallback, ofModel, changed, onReset, children }: ParameterRowProps) {
  const texts = useTexts(parameterTexts);
  return (
    <div className={`-ml-3.5 border-l-2 pl-3 ${changed ? "border-accent" : "border-transparent"}`}>
      {children}
      <div className="flex min-h-7 items-center gap-2 text-sm text-muted">
        <span className="min-w-0 flex-1">{ofModel ? texts.defaultOfModel(fallback) : texts.default(fallback)}</span>
        {changed && (
          <>
            <span className="text-accent-ink">{texts.changed}</span>
            <IconButton label={texts.reset(name)} size="small" onClick={onReset}>
              <RotateCcw />
            </IconButton>
          </>
        )}
      </div>
    </div>
  );
}
