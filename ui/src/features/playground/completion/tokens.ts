/** A token of a completion. `logprob` is null for a text's first, which nothing stands before. */
export interface ScoredToken {
  text: string;
  logprob: number | null;
  /** What the model thought of at this place with log-probabilities, best first; the token itself is among them. */
  top: readonly { text: string; logprob: number }[];
}

/** The `logprobs` of a plain completion, as OpenAI's API has them. */
export interface CompletionLogprobs {
  tokens: readonly string[];
  token_logprobs: readonly (number | null)[];
  top_logprobs: readonly (Record<string, number> | null)[];
}

export function scoredTokens(logprobs: CompletionLogprobs): ScoredToken[] {
  return logprobs.tokens.map((text, index) => ({
    text,
    logprob: logprobs.token_logprobs[index] ?? null,
    top: Object.entries(logprobs.top_logprobs[index] ?? {})
      .map(([other, logprob]) => ({ text: other, logprob }))
      .sort((a, b) => b.logprob - a.logprob),
  }));
}

/** How sure the model was, from 0 (sure) to 3; null where nothing is known. */
export function bandOf(logprob: number | null): 0 | 1 | 2 | 3 | null {
  if (logprob === null) return null;
  const probability = Math.exp(logprob);
  if (probability >= 0.8) return 0;
  if (probability >= 0.5) return 1;
  return probability >= 0.2 ? 2 : 3;
}

/** How surprised the model was on average: e to the mean of the negative log-probabilities. Null for no token. */
export function perplexity(tokens: readonly ScoredToken[]): number | null {
  const known = tokens.flatMap(({ logprob }) => (logprob === null ? [] : [logprob]));
  return known.length === 0 ? null : Math.exp(-known.reduce((sum, each) => sum + each, 0) / known.length);
}
