import type { Formatter } from "@/i18n/format";
import type { Model } from "./library";

const STEPS = [
  ["T", 1e12],
  ["B", 1e9],
  ["M", 1e6],
  ["K", 1e3],
] as const;

/** How many weights, as people write it: 8B, 1.5B, 270M; empty where nobody knows. */
export function parameterSize(count: number, format: Formatter): string {
  if (count <= 0) return "";
  const step = STEPS.find(([, size]) => count >= size);
  if (step === undefined) return format.number(count);
  const scaled = count / step[1];
  return `${format.number(scaled, scaled < 10 ? 1 : 0)}${step[0]}`;
}

/** Tokens, as people write them: 8K for 8,192, 128K for 131,072; empty where nobody knows. */
export function contextSize(tokens: number, format: Formatter): string {
  if (tokens <= 0) return "";
  return tokens >= 1024 && tokens % 1024 === 0 ? `${format.number(tokens / 1024)}K` : format.number(tokens);
}

const TOOLS: Record<string, string> = {
  ollama: "Ollama",
  lmstudio: "LM Studio",
  huggingface: "Hugging Face",
  "llama.cpp": "llama.cpp",
};

/** A tool's own spelling of its name. */
export const toolName = (tool: string): string => TOOLS[tool] ?? tool;

export const isAdapter = (model: Pick<Model, "capabilities">): boolean => model.capabilities.includes("adapter");
export const canChat = (model: Pick<Model, "capabilities">): boolean => model.capabilities.includes("completion");

/** The capabilities that tell models apart; that of chatting goes without saying where there are others. */
export function shownCapabilities(model: Pick<Model, "capabilities">): readonly string[] {
  return model.capabilities.filter((capability) => capability !== "completion" && capability !== "insert");
}
