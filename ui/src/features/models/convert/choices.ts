import type { Schemas } from "@/api/client";

export type ConversionChoice = Required<Schemas["ConversionChoice"]>;
export type ConversionEstimate = Omit<Schemas["ConversionEstimate"], "choices" | "format"> & {
  format: "gguf" | "mlx";
  choices: ConversionChoice[];
};

export type Quality = "same" | "lossless" | "tiny" | "small" | "balanced" | "noticeable" | "large" | "extreme";

/** The types that people choose from, the best first; all others are behind a button. */
const USUAL: Record<ConversionEstimate["format"], readonly string[]> = {
  gguf: ["", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "IQ4_XS", "Q3_K_M"],
  mlx: ["", "8bit", "6bit", "5bit", "4bit", "mxfp4", "3bit"],
};
export const RECOMMENDED: Record<ConversionEstimate["format"], string> = { gguf: "Q4_K_M", mlx: "4bit" };

const QUALITIES: readonly [RegExp, Quality][] = [
  [/^$/, "same"],
  [/^(F32|F16|BF16)$/i, "lossless"],
  [/^(Q8_0|8bit|mxfp8)$/, "lossless"],
  [/^(Q6_K|6bit)$/, "tiny"],
  [/^(Q5_|5bit)/, "small"],
  [/^(Q4_K|IQ4|4bit|MXFP4|mxfp4|NVFP4|nvfp4)/, "balanced"],
  [/^(Q4_|Q3_|IQ3|3bit)/, "noticeable"],
  [/^(Q2_K|IQ2|2bit)/, "large"],
];

/** How much of a model a type keeps, in rough words. */
export const qualityOf = (type: string): Quality => QUALITIES.find(([pattern]) => pattern.test(type))?.[1] ?? "extreme";

/** The choices that are shown: the usual ones in their order, or all of them, the largest first. */
export function shownChoices(estimate: ConversionEstimate, all: boolean): readonly ConversionChoice[] {
  if (all) return estimate.choices.toSorted((a, b) => b.size - a.size);
  const usual = USUAL[estimate.format] ?? [];
  return usual.flatMap((type) => estimate.choices.filter((choice) => choice.type === type));
}

/** What is chosen at first: the recommended type where it can be had, else whatever can. */
export function firstChoice(estimate: ConversionEstimate): ConversionChoice | undefined {
  const possible = estimate.choices.filter(({ why, importance }) => why === "" && !importance);
  return possible.find(({ type }) => type === RECOMMENDED[estimate.format]) ?? possible[0];
}

/** Whether a choice quantizes what is quantized already, which has to be asked for. */
export const requantizes = (estimate: ConversionEstimate, choice: ConversionChoice): boolean =>
  estimate.quantized && choice.type !== "" && !/^b?f(16|32)$/i.test(choice.type);

/** By what part of its size a model grows (above 0) or shrinks. */
export const change = (before: number, after: number): number => (before > 0 ? after / before - 1 : 0);

/** The name that a new model gets where nobody says another one, as the server has it. */
export const defaultName = (source: string, type: string, format: string): string =>
  `${source.replace(/^\/.*\//, "").replace(/\.gguf$|:latest$/, "")}-${(type || format).toLowerCase()}`;
