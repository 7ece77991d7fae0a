import { useSyncExternalStore } from "react";

/** What a person chose in this browser. `localStorage` owns it, so that every tab shows the same. */
export interface Preferences {
  theme: "light" | "dark" | "system";
  language: "en" | "de";
  /** The sidebar is folded away on wide screens. */
  sidebarClosed: boolean;
}

const KEY = "mlxr.preferences";
const CHANGED = "mlxr:preferences";

const defaults = (): Preferences => ({
  theme: "system",
  language: navigator.language.startsWith("de") ? "de" : "en",
  sidebarClosed: false,
});

let parsedFrom: string | null | undefined;
let parsed: Preferences = defaults();

/** Returns the preferences as they are now; the same object until they change. */
export function readPreferences(): Preferences {
  const text = localStorage.getItem(KEY);
  if (text !== parsedFrom) {
    parsedFrom = text;
    parsed = { ...defaults(), ...parse(text) };
  }
  return parsed;
}

function parse(text: string | null): Partial<Preferences> {
  try {
    return text === null ? {} : (JSON.parse(text) as Partial<Preferences>);
  } catch {
    return {};
  }
}

export function setPreferences(change: Partial<Preferences>): void {
  localStorage.setItem(KEY, JSON.stringify({ ...readPreferences(), ...change }));
  window.dispatchEvent(new Event(CHANGED));
}

function subscribePreferences(changed: () => void): () => void {
  window.addEventListener(CHANGED, changed);
  window.addEventListener("storage", changed);
  return () => {
    window.removeEventListener(CHANGED, changed);
    window.removeEventListener("storage", changed);
  };
}

export const usePreferences = (): Preferences => useSyncExternalStore(subscribePreferences, readPreferences);

/** Shows theme and language on the document, now and whenever they or the system's theme change. */
export function applyPreferences(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const { theme, language } = readPreferences();
    document.documentElement.dataset.theme = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
    document.documentElement.lang = language;
  };
  apply();
  subscribePreferences(apply);
  dark.addEventListener("change", apply);
}
