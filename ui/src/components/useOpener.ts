import { useState } from "react";

/** Returns what gives the focus back, when a dialog closes, to what had it before: Radix knows its triggers alone. */
export function useOpener(): (event: Event) => void {
  const [opener] = useState(focused);
  return (event) => {
    event.preventDefault();
    opener?.focus();
  };
}

function focused(): HTMLElement | null {
  const element = document.activeElement;
  // An entry of a menu is gone by then; the menu is named after its button.
  const button = element?.closest("[role=menu]")?.getAttribute("aria-labelledby");
  if (button != null) return document.getElementById(button);
  return element instanceof HTMLElement ? element : null;
}
