import { classes } from "./classes";

const isMac = (): boolean => /Mac|iPhone|iPad/.test(navigator.userAgent);

/** Writes `mod+shift+k` as the keyboard in front of the person has it. */
function keysAsWritten(keys: string): string[] {
  const names: Record<string, string> = isMac()
    ? { mod: "⌘", shift: "⇧", alt: "⌥", enter: "↵", escape: "Esc" }
    : { mod: "Ctrl", shift: "Shift", alt: "Alt", enter: "Enter", escape: "Esc" };
  return keys.split("+").map((key) => names[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}

export function Kbd({ keys, inverted }: { keys: string; inverted?: boolean }) {
  return (
    <kbd className="inline-flex gap-0.5 font-sans">
      {keysAsWritten(keys).map((key) => (
        <span
          key={key}
          className={classes(
            "rounded-sm border px-1 text-xs",
            inverted ? "border-surface/40 text-surface" : "border-line bg-sunken text-muted",
          )}
        >
          {key}
        </span>
      ))}
    </kbd>
  );
}
