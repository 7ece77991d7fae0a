/** Chats with what chats are made of, as ChatGPT-like files have them: put into a server by its own import. */
const ANSWER = `Newton's method finds a root of $f$ by following tangents:

$$x_{n+1} = x_n - \\frac{f(x_n)}{f'(x_n)}$$

In Python:

\`\`\`python
def sqrt(value: float, steps: int = 8) -> float:
    """The positive root of x² − value."""
    guess = value or 1.0
    for _ in range(steps):
        guess -= (guess * guess - value) / (2 * guess)
    return guess
\`\`\`

| step | guess | error |
| --- | --- | --- |
| 1 | 1.5 | 0.0858 |
| 2 | 1.41667 | 0.00245 |
| 3 | 1.4142157 | 0.0000021 |

Each step **doubles** the number of right digits.`;

const CHATS: readonly [string, string][] = [
  ["How do I compute a square root by Newton's method?", ANSWER],
  ["What is a good name for a grey cat?", "Ash, Pebble or *Mist*. Pebble suits a round one."],
  [
    "Explain backpressure in one sentence.",
    "A slow reader makes the writer wait, so that nothing piles up between them.",
  ],
];

/** A file of chats in the form of Open WebUI's export. */
export const exported = (): string =>
  JSON.stringify(
    CHATS.map(([question, answer], index) => {
      const at = Math.floor(Date.now() / 1000) - index * 90_000;
      const [asked, answered] = [`q${index}`, `a${index}`];
      const messages = {
        [asked]: { id: asked, parentId: null, childrenIds: [answered], role: "user", content: question, timestamp: at },
        [answered]: {
          id: answered,
          parentId: asked,
          childrenIds: [],
          role: "assistant",
          content: answer,
          model: "smollm2",
          timestamp: at + 4,
        },
      };
      return {
        id: `c${index}`,
        title: question,
        created_at: at,
        updated_at: at + 4,
        chat: { title: question, models: ["smollm2"], history: { messages, currentId: answered } },
      };
    }),
  );
