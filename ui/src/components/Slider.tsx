import { Slider as Radix } from "radix-ui";
import { type ReactNode, useId } from "react";
import { FIELD } from "./classes";

export interface SliderProps {
  label: string;
  hint?: ReactNode;
  value: number;
  onChange: (value: number) => void;
  min: number;
  max: number;
  step: number;
  disabled?: boolean;
}

/** A number in a range, by dragging, by arrow keys, or typed into the field beside it. */
export function Slider({ label, hint, value, onChange, min, max, step, disabled = false }: SliderProps) {
  const id = useId();
  return (
    <div>
      <div className="flex items-center justify-between gap-2">
        <label htmlFor={id} className="text-sm font-medium">
          {label}
        </label>
        <input
          id={id}
          type="number"
          className={`${FIELD} h-7 w-20! px-1.5! text-right tabular-nums`}
          {...{ value, min, max, step, disabled }}
          onChange={(event) => Number.isFinite(event.target.valueAsNumber) && onChange(event.target.valueAsNumber)}
        />
      </div>
      <Radix.Root
        {...{ min, max, step, disabled }}
        value={[Math.min(max, Math.max(min, value))]}
        onValueChange={([next]) => next !== undefined && onChange(next)}
        className="relative flex h-6 touch-none items-center select-none data-disabled:opacity-50 pointer-coarse:h-11"
      >
        <Radix.Track className="relative h-1 flex-1 rounded-full bg-line">
          <Radix.Range className="absolute h-full rounded-full bg-accent" />
        </Radix.Track>
        <Radix.Thumb aria-label={label} className="block size-4 rounded-full border-2 border-accent bg-surface" />
      </Radix.Root>
      {hint !== undefined && <p className="text-sm text-muted">{hint}</p>}
    </div>
  );
}
