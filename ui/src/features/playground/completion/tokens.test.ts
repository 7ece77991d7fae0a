import { expect, test } from "vitest";
import { bandOf, perplexity, scoredTokens } from "./tokens";

test("tokens come with what else the model thought of, best first", () => {
  const [first, second] = scoredTokens({
    tokens: ["A", " b"],
    token_logprobs: [null, -0.1],
    top_logprobs: [null, { " c": -3, " b": -0.1 }],
  });
  expect(first).toEqual({ text: "A", logprob: null, top: [] });
  expect(second?.top.map(({ text }) => text)).toEqual([" b", " c"]);
});

test.each([
  [0, 0],
  [Math.log(0.8), 0],
  [Math.log(0.5), 1],
  [Math.log(0.2), 2],
  [-20, 3],
  [null, null],
])("a log-probability of %s is in band %s", (logprob, band) => {
  expect(bandOf(logprob)).toBe(band);
});

test("perplexity leaves out what has no probability", () => {
  const token = (logprob: number | null) => ({ text: "", logprob, top: [] });
  expect(perplexity([token(null), token(Math.log(0.25)), token(Math.log(0.25))])).toBeCloseTo(4);
  expect(perplexity([token(null)])).toBeNull();
});
