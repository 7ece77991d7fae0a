import { useRef, useState } from "react";

export interface NameFieldProps {
  label: string;
  name: string;
  placeholder?: string;
  maxLength?: number;
  /** Stands in the place of the name for as long as it is changed, and begins with all of it selected. */
  opened?: boolean;
  className: string;
  /** Takes another name: not the one there is, and not an empty one. */
  onChange: (name: string) => void;
  /** The person has left the field, whichever way. */
  onEnd?: () => void;
}

/** A name that is edited where it stands: Enter or leaving the field keeps what is typed, Escape puts the name back, as
 * does leaving nothing. */
export function NameField({ label, name, opened = false, onChange, onEnd, ...look }: NameFieldProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const givenUp = useRef(false);
  const end = () => {
    const next = givenUp.current ? "" : (typed?.trim() ?? "");
    givenUp.current = false;
    setTyped(null);
    if (next !== "" && next !== name) onChange(next);
    onEnd?.();
  };
  return (
    <input
      {...look}
      aria-label={label}
      autoFocus={opened}
      value={typed ?? name}
      onFocus={(event) => opened && event.target.select()}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={end}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
        event.preventDefault();
        givenUp.current = event.key === "Escape";
        event.currentTarget.blur();
      }}
    />
  );
}
