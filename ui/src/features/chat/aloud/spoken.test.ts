import { expect, test } from "vitest";
import { spoken } from "./spoken";

test("an answer is read out by its paragraphs, without code and marks", () => {
  const text =
    "# Roots\n\nA **root** of `f`, see [here](https://example.org):\n\n```py\nx = 1\n```\n\n- one_two\n- 3 * 4";
  expect(spoken(text)).toEqual(["Roots", "A root of f , see here:", "one two 3 4"]);
});

test("what is code alone is silent, also where its fence is open", () => {
  expect(spoken("```\nx = 1\n")).toEqual([]);
  expect(spoken("| a | b |\n| --- | --- |\n| c | d |")).toEqual(["a b", "c d"]);
});
