import { streamChoices } from "../shared/choices";
import { type CompletionLogprobs, type ScoredToken, scoredTokens } from "./tokens";

export interface CompletionInput {
  model: string;
  prompt: string;
  max_tokens: number;
  temperature: number;
  seed?: number;
  echo: boolean;
}

/** Has a model go on with a text. `onTokens` is given each piece as it comes; returns why the model stopped. */
export function complete(
  input: CompletionInput,
  onTokens: (tokens: ScoredToken[]) => void,
  signal: AbortSignal,
): Promise<string | null> {
  return streamChoices<{ logprobs?: CompletionLogprobs | null }>(
    "/v1/completions",
    { ...input, logprobs: 5 },
    ({ logprobs }) => {
      if (logprobs != null) onTokens(scoredTokens(logprobs));
    },
    signal,
  );
}
