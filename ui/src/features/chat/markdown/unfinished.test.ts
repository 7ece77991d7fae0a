import { expect, test } from "vitest";
import { GrowingMarkdown } from "./blocks";
import { finished } from "./unfinished";

test("what has begun looks as it will when it has ended", () => {
  expect(finished("This is **bo")).toBe("This is **bo**");
  expect(finished("This is **bold")).toBe("This is **bold**");
  expect(finished("This is **")).toBe("This is ");
  expect(finished("Use `code")).toBe("Use `code`");
  expect(finished("See [the article](https://exam")).toBe("See the article");
  expect(finished("Since $\\alpha = n")).toBe("Since ");
  expect(finished("Since \\(a^2")).toBe("Since ");
});

test("what has ended, and what only looks so, stays as it is", () => {
  const texts = [
    "This is **bold** and `code`.",
    "See [the article](https://example.org) now",
    "It costs $5 and more",
    "In `a ** b` stars multiply",
    "Since $a^2$ holds",
    "A list of `x` and **y**",
  ];
  for (const text of texts) expect(finished(text)).toBe(text);
});

test("code that grows is not touched", () => {
  const growing = new GrowingMarkdown();
  growing.append("Text.\n\n```python\nx = 2 ** 3\ny = `");
  const code = growing.segments.flatMap(({ tokens }) => tokens).find(({ type }) => type === "code");
  expect(code).toMatchObject({ text: "x = 2 ** 3\ny = `" });
});
