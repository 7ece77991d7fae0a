import { expect, test } from "vitest";
import { GrowingMarkdown } from "./blocks";
import { finished } from "./unfinished";

test("what has begun looks as it will when it has ended", () => {
  expect(finished("**bo")).toBe("**bo**");
  expect(finished("- **bo")).toBe("- **bo**");
  expect(finished("1. `co")).toBe("1. `co`");
  expect(finished("This is **bold an")).toBe("This is **bold an**");
  expect(finished("This is **")).toBe("This is ");
  expect(finished("Use `code, m")).toBe("Use `code, m`");
  expect(finished("See [the article](https://exam")).toBe("See the article");
  expect(finished("Since $\\alpha = n")).toBe("Since ");
  expect(finished("Since \\(a^2")).toBe("Since ");
});

test("a piece behind a mark within a line begins with a whole word", () => {
  expect(finished("This is **bo")).toBe("This is ");
  expect(finished("This is **bold**")).toBe("This is **bold**");
  expect(finished("A **hash table** kee")).toBe("A **hash table**");
  expect(finished("A **hash table** keeps p")).toBe("A **hash table** keeps p");
  expect(finished("Use `code` wi")).toBe("Use `code`");
  expect(finished("See [it](https://example.org/a) no")).toBe("See [it](https://example.org/a)");
  expect(finished("これは**太字**です")).toBe("これは**太字**です");
});

test("what has ended, and what only looks so, stays as it is", () => {
  const texts = [
    "This is **bold** and `code`.",
    "See [the article](https://example.org) now and",
    "It costs $5 and more",
    "In `a ** b` stars multiply",
    "Since $a^2$ holds for",
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
