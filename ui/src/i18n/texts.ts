import { readPreferences, usePreferences } from "@/app/preferences";

export type Language = "en" | "de";

/** A feature's texts: sentences, or functions that make one of a number or a name. */
type Shape = Record<string, unknown>;

/** Declares texts in every language. English says which keys there are; the compiler asks for each in the others. */
export const defineTexts = <T extends Shape>(texts: { en: T; de: { [K in keyof T]: Widened<T[K]> } }) => texts;

type Widened<T> = T extends string
  ? string
  : T extends object
    ? T extends (...args: never[]) => unknown
      ? T
      : { [K in keyof T]: Widened<T[K]> }
    : T;

/** Returns the texts in the language that the person reads. */
export function useTexts<T extends Shape>(texts: { en: T; de: { [K in keyof T]: Widened<T[K]> } }): T {
  const { language } = usePreferences();
  return texts[language] as T;
}

/** Returns the texts in the language of now, for what is no component. */
export function textsNow<T extends Shape>(texts: { en: T; de: { [K in keyof T]: Widened<T[K]> } }): T {
  return texts[readPreferences().language] as T;
}
