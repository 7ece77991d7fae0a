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

test("a price is no formula, and a formula is", () => {
  const inline = (text: string) => {
    const [block] = segmentsOf(text)[0]?.tokens ?? [];
    return (block && "tokens" in block ? (block.tokens ?? []) : []).map(({ type }) => type);
  };
  expect(inline("It costs $5 to $10.")).toEqual(["text"]);
  expect(inline("Since $a^2 = b$ holds")).toEqual(["text", "math", "text"]);
  expect(inline("Since \\(a^2\\) holds")).toEqual(["text", "math", "text"]);
});
