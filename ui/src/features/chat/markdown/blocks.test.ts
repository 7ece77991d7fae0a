import { expect, test } from "vitest";
import { GrowingMarkdown, type Segment, segmentsOf } from "./blocks";

const TEXT = `# Title

A paragraph with **bold**, \`code\` and [a link](https://example.org).
It goes on[^1].

1. one
2. two

   still two

- a
  - nested

| a | b |
|---|--:|
| 1 | 2 |

\`\`\`python
def f():

    return 1
\`\`\`

$$
x = 1

+ 2
$$

Setext
======

> quoted
> more

The end, see [ref].

[ref]: https://example.org/ref
`;

const raws = (segments: readonly Segment[]) =>
  segments.flatMap(({ tokens }) => tokens.map(({ type, raw }) => [type, raw]));

test("text that comes in pieces of any size ends as the same blocks as the whole", () => {
  for (const size of [1, 3, 7, 50]) {
    const growing = new GrowingMarkdown();
    for (let at = 0; at < TEXT.length; at += size) growing.append(TEXT.slice(at, at + size));
    expect(raws(growing.segments)).toEqual(raws(segmentsOf(TEXT)));
  }
});

test("segments that are full stay the same objects while more text comes", () => {
  const growing = new GrowingMarkdown();
  for (let count = 0; count < 200; count += 1) growing.append(`Paragraph ${count} of some forty characters.\n\n`);
  const before = growing.segments;
  growing.append("more");
  expect(before.length).toBeGreaterThan(2);
  expect(growing.segments.slice(0, -1)).toEqual(before.slice(0, -1));
  for (const [index, segment] of before.slice(0, -1).entries()) expect(growing.segments[index]).toBe(segment);
  expect(growing.segments.at(-1)).not.toBe(before.at(-1));
});

test("a text that has grown is in the same segments as the whole, so that nothing moves when it ends", () => {
  const text = TEXT.repeat(12);
  const growing = new GrowingMarkdown();
  for (let at = 0; at < text.length; at += 5) growing.append(text.slice(at, at + 5));
  const lengths = (segments: readonly Segment[]) => segments.map(({ key, length }) => [key, length]);
  expect(lengths(growing.segments)).toEqual(lengths(segmentsOf(text)));
  expect(growing.segments.length).toBeGreaterThan(1);
});

test("what is shown in one segment never moves into another", () => {
  const growing = new GrowingMarkdown();
  const text = TEXT.repeat(12);
  let before: readonly number[] = [];
  for (let at = 0; at < text.length; at += 5) {
    growing.append(text.slice(at, at + 5));
    const counts = growing.segments.map(({ tokens }) => tokens.filter(({ type }) => type !== "space").length);
    for (const [index, count] of before.slice(0, -1).entries()) expect(counts[index]).toBeGreaterThanOrEqual(count);
    before = counts;
  }
});

test("a price is no formula, and a formula is", () => {
  const inline = (text: string) => {
    const [block] = segmentsOf(text)[0]?.tokens ?? [];
    return (block && "tokens" in block ? (block.tokens ?? []) : []).map(({ type }) => type);
  };
  expect(inline("It costs $5 to $10.")).toEqual(["text"]);
  expect(inline("Since $a^2 = b$ holds")).toEqual(["text", "math", "text"]);
  expect(inline("Since \\(a^2\\) holds")).toEqual(["text", "math", "text"]);
});

test("what nests thousands deep comes as it was written", () => {
  const staircase = Array.from({ length: 1_000 }, (_, level) => `${" ".repeat(2 * level)}- x`).join("\n");
  for (const text of [`${">".repeat(10_000)} x`, `${"- ".repeat(10_000)}x`, `${"1. ".repeat(10_000)}x`, staircase]) {
    expect(raws(segmentsOf(text))).toEqual([["code", text]]);
  }
  expect(raws(segmentsOf(`${"> ".repeat(20)}x`)).map(([type]) => type)).toEqual(["blockquote"]);
  expect(raws(segmentsOf("-".repeat(500))).map(([type]) => type)).toEqual(["hr"]);
});
