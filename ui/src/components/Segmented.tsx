import { type ReactNode, useId } from "react";

export interface SegmentedProps<Value extends string> {
  label: string;
  hint?: ReactNode;
  value: Value;
  onChange: (value: Value) => void;
  options: readonly { value: Value; label: string; icon?: ReactNode }[];
}

/** A choice of one among a few that are all in sight. Arrow keys go from one to the next. */
export function Segmented<Value extends string>({ label, hint, value, onChange, options }: SegmentedProps<Value>) {
  const name = useId();
  return (
    <fieldset className="flex min-w-0 flex-wrap items-center justify-between gap-x-6 gap-y-2">
      <legend className="sr-only">{label}</legend>
      <div className="min-w-0">
        <p aria-hidden>{label}</p>
        {hint !== undefined && <p className="text-sm text-muted">{hint}</p>}
      </div>
      <div className="flex max-sm:w-full rounded-md border border-line bg-sunken p-0.5">
        {options.map((option) => (
          <label
            key={option.value}
            className="flex h-7 cursor-pointer justify-center max-sm:flex-1 items-center gap-1.5 rounded-sm px-3 text-muted hover:text-ink has-checked:bg-surface has-checked:font-medium has-checked:text-ink has-checked:ring-1 has-checked:ring-line has-focus-visible:outline-2 has-focus-visible:outline-accent pointer-coarse:h-10 dark:has-checked:bg-hover [&_svg]:size-4"
          >
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={value === option.value}
              onChange={() => onChange(option.value)}
              className="sr-only"
            />
            {option.icon}
            {option.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
