import { fetchApi } from "@/api/client";
import { ApiError, errorFrom } from "@/api/errors";
import { readEvents } from "@/api/events";
import { type CompletionLogprobs, type ScoredToken, scoredTokens } from "./tokens";

export interface CompletionInput {
  model: string;
  prompt: string;
  max_tokens: number;
  temperature: number;
  seed?: number;
  echo: boolean;
}

interface Chunk {
  choices?: readonly { logprobs?: CompletionLogprobs | null; finish_reason?: string | null }[];
  error?: unknown;
}

/** Has a model go on with a text. `onTokens` is given each piece as it comes; returns why the model stopped. */
export async function complete(
  input: CompletionInput,
  onTokens: (tokens: ScoredToken[]) => void,
  signal: AbortSignal,
): Promise<string | null> {
  const body = JSON.stringify({ ...input, logprobs: 5, stream: true });
  const response = await fetchApi("/v1/completions", { method: "POST", body, signal });
  let finish: string | null = null;
  let ended = false;
  await readEvents(response, ({ data }) => {
    if (data === "[DONE]") {
      ended = true;
      return;
    }
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error !== undefined) throw errorFrom(chunk, response);
    const choice = chunk.choices?.[0];
    if (choice?.logprobs != null) onTokens(scoredTokens(choice.logprobs));
    finish = choice?.finish_reason ?? finish;
  });
  if (!ended) throw new ApiError("The connection to the server broke.", 0, "broken");
  return finish;
}
