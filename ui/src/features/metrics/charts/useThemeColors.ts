import { useSyncExternalStore } from "react";

const subscribe = (changed: () => void) => {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => observer.disconnect();
};

/** Returns the theme that is in force; a canvas has to be drawn anew with another one. */
export const useTheme = (): string =>
  useSyncExternalStore(subscribe, () => document.documentElement.dataset.theme ?? "");

/** Returns the value of a color's token, such as `chart-1`, for a canvas, which knows no variables. */
export const colorOf = (token: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
