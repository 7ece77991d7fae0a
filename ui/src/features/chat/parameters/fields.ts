/** Parameters that are numbers, with what they may be. `fallback`: what stands there where nobody has said anything. */
export interface NumberField {
  name: "temperature" | "top_p" | "top_k" | "min_p" | "repetition_penalty" | "presence_penalty" | "frequency_penalty";
  min: number;
  max: number;
  step: number;
  /** The value that stands for having none. */
  fallback: number;
}

export const SAMPLING: readonly NumberField[] = [
  { name: "temperature", min: 0, max: 2, step: 0.05, fallback: 1 },
  { name: "top_p", min: 0, max: 1, step: 0.01, fallback: 1 },
  { name: "top_k", min: 0, max: 200, step: 1, fallback: 0 },
  { name: "min_p", min: 0, max: 1, step: 0.01, fallback: 0 },
  { name: "repetition_penalty", min: 0.5, max: 2, step: 0.01, fallback: 1 },
  { name: "presence_penalty", min: -2, max: 2, step: 0.05, fallback: 0 },
  { name: "frequency_penalty", min: -2, max: 2, step: 0.05, fallback: 0 },
];

/** Returns `parameters` with `value` for `name`; undefined and null take it out, so that the default holds again. */
export function withParameter<T extends object>(parameters: T, name: keyof T & string, value: unknown): T {
  const { [name]: _, ...rest } = parameters as Record<string, unknown>;
  return (value === undefined || value === null ? rest : { ...rest, [name]: value }) as T;
}

/** Whether a chat says something of its own. */
export const isChanged = (parameters: object, name: string): boolean =>
  ((parameters as Record<string, unknown>)[name] ?? null) !== null;

/** Returns a typed number, null for an empty text, or undefined for what is none that `min` to `max` takes. */
export function wholeNumber(text: string, min: number, max: number): number | null | undefined {
  if (text.trim() === "") return null;
  const value = Number(text);
  return Number.isInteger(value) && value >= min && value <= max ? value : undefined;
}
