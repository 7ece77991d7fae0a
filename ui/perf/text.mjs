const PARAGRAPH =
  "A **hash table** keeps pairs of a key and a value, and finds a value in about constant time, since a *hash function* " +
  "turns each key into a number that says where to look ([more](https://example.org/hash)). ";

const BLOCKS = [
  "## How it works\n\n",
  `${PARAGRAPH}${PARAGRAPH}\n\n`,
  "1. The function turns the key into a number.\n2. The number, modulo the size, names a `bucket`.\n3. Keys of one bucket are chained.\n\n",
  "```python\nclass HashTable:\n    def __init__(self, size: int = 8) -> None:\n        self._buckets = [[] for _ in range(size)]\n\n    def get(self, key: str) -> int:\n        return dict(self._buckets[hash(key) % 8])[key]  # or KeyError\n```\n\n",
  "| operation | average | worst |\n|:--|--:|--:|\n| look up | O(1) | O(n) |\n| insert | O(1) | O(n) |\n\n",
  `${PARAGRAPH}The load factor is $\\alpha = n / m$.\n\n`,
  "$$\n\\frac{1}{1 - \\alpha}\n$$\n\n> Keep it below 0.75.\n\n",
];

/** Returns Markdown of every kind, of at least `length` characters. */
export function markdown(length) {
  let text = "";
  for (let at = 0; text.length < length; at += 1) text += BLOCKS[at % BLOCKS.length];
  return text;
}

/** Returns pieces of `text` of the size of tokens, about four characters each. */
export const tokensOf = (text) => text.match(/[\s\S]{1,4}/g) ?? [];

/** Returns the messages of a chat of about `tokens` tokens, whose last answer has just begun. */
export function chatOf(tokens) {
  const turns = [];
  const add = (role, text, rest = {}) => {
    const parent = turns.at(-1)?.id ?? null;
    const usage =
      role === "assistant" ? { prompt_tokens: 900, completion_tokens: 500, tokens_per_second: 40, ttft: 0.3 } : null;
    turns.push({
      id: `m${turns.length}`,
      parent,
      role,
      created: 0,
      content: [{ type: "text", text }],
      state: "done",
      model: "synthetic",
      usage,
      ...rest,
    });
    return text.length / 4;
  };
  // One answer is as long as many.
  let left = tokens - add("user", "Write all of it.") - add("assistant", markdown(80_000));
  while (left > 0) left -= add("user", `And question ${turns.length}?`) + add("assistant", markdown(4_000));
  add("user", "Once more, please.");
  add("assistant", "", { state: "streaming", content: [], tokens: 0, usage: null });
  return turns;
}
