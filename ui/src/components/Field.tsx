import { type ComponentProps, type ReactNode, useId } from "react";
import { classes, FIELD } from "./classes";

export interface FieldProps {
  label: string;
  /** A sentence under it. */
  hint?: ReactNode;
  error?: string | undefined;
  /** Shows the label to screen readers alone. */
  labelHidden?: boolean;
  className?: string;
  children: (control: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}

/** A label, a control and what there is to say about it. `children` puts the given attributes on the control. */
export function Field({ label, hint, error, labelHidden, className, children }: FieldProps) {
  const id = useId();
  const about = error !== undefined || hint !== undefined ? { "aria-describedby": `${id}-about` } : {};
  return (
    <div className={classes("flex flex-col gap-1", className)}>
      <label htmlFor={id} className={labelHidden === true ? "sr-only" : "text-sm font-medium"}>
        {label}
      </label>
      {children({ id, ...about, ...(error === undefined ? {} : { "aria-invalid": true }) })}
      {(error !== undefined || hint !== undefined) && (
        <p id={`${id}-about`} className={classes("text-sm", error === undefined ? "text-muted" : "text-danger")}>
          {error ?? hint}
        </p>
      )}
    </div>
  );
}

type Labelled = Omit<FieldProps, "children" | "className"> & { fieldClassName?: string };

const split = <T extends Labelled>({ label, hint, error, labelHidden, fieldClassName, ...control }: T) => ({
  field: {
    label,
    hint,
    error,
    ...(labelHidden === undefined ? {} : { labelHidden }),
    ...(fieldClassName === undefined ? {} : { className: fieldClassName }),
  },
  control,
});

export function TextField(props: Labelled & ComponentProps<"input">) {
  const { field, control } = split(props);
  return (
    <Field {...field}>
      {(given) => (
        <input
          type="text"
          {...control}
          {...given}
          className={classes(FIELD, "h-8 pointer-coarse:h-11", control.className)}
        />
      )}
    </Field>
  );
}

/** A field to search or filter by; `label` stands in it as long as it is empty. Escape empties it, and does nothing
 * else then. */
export function SearchField({
  label,
  onSearch,
  ...props
}: Omit<Labelled & ComponentProps<"input">, "onChange"> & { value: string; onSearch: (words: string) => void }) {
  return (
    <TextField
      {...props}
      label={label}
      labelHidden
      type="search"
      placeholder={label}
      onChange={({ target }) => onSearch(target.value)}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || props.value === "" || event.nativeEvent.isComposing) return;
        event.preventDefault();
        onSearch("");
      }}
    />
  );
}

export function TextAreaField(props: Labelled & ComponentProps<"textarea">) {
  const { field, control } = split(props);
  return (
    <Field {...field}>
      {(given) => <textarea rows={4} {...control} {...given} className={classes(FIELD, "py-1.5", control.className)} />}
    </Field>
  );
}

export interface SelectOption {
  value: string;
  label: string;
  disabled?: boolean;
}

/** A choice of one, as the system shows it. */
export function Select(props: Labelled & ComponentProps<"select"> & { options: readonly SelectOption[] }) {
  const { field, control } = split(props);
  const { options, ...select } = control;
  return (
    <Field {...field}>
      {(given) => (
        <select {...select} {...given} className={classes(FIELD, "h-8 pr-7 pointer-coarse:h-11", select.className)}>
          {options.map(({ value, label, disabled }) => (
            <option key={value} value={value} disabled={disabled}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
