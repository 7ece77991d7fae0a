import { useState } from "react";
import { FIELD } from "@/components/classes";

export interface RenameFieldProps {
  label: string;
  name: string;
  maxLength?: number;
  /** Takes the new name, or null where the person thought better of it. */
  onDone: (name: string | null) => void;
}

/** Stands in the place of a name while it is changed: Enter or leaving it keeps what is typed, Escape does not. */
export function RenameField({ label, name, maxLength, onDone }: RenameFieldProps) {
  const [typed, setTyped] = useState(name);
  return (
    <input
      aria-label={label}
      autoFocus
      maxLength={maxLength}
      value={typed}
      onFocus={(event) => event.target.select()}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={() => onDone(typed.trim())}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") onDone(typed.trim());
        if (event.key !== "Escape") return;
        event.preventDefault();
        onDone(null);
      }}
      className={`${FIELD} h-8 pointer-coarse:h-11`}
    />
  );
}
