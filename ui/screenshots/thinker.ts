/** SmolLM2 as a model that reasons: it goes on in the manner of the turns that stand before each conversation. */
const TURNS: readonly [string, string, string][] = [
  [
    "Is it cold on Mars?",
    "Mars is further from the sun than the Earth is. Its air is thin, and keeps no warmth. So it must be cold.",
    "Yes. Most places on Mars are far below freezing, by day and by night.",
  ],
  [
    "Is a whale a fish?",
    "A whale lives in the sea, as fish do. But it breathes air, and feeds its young with milk. So it is a mammal.",
    "No. A whale is a mammal that lives in the sea.",
  ],
  [
    "Is iron heavier than wood?",
    "Wood floats on water, and iron sinks. So a piece of iron weighs more than a piece of wood of the same size.",
    "Yes. Iron is some ten times as heavy as wood of the same size.",
  ],
];

/** What `/api/create` takes to make it of `from`. */
export const thinker = (name: string, from = "smollm2") => ({
  model: name,
  from,
  stream: false,
  parameters: { temperature: 0, num_predict: 160 },
  template: `${TURNS.map(
    ([asked, thought, said]) =>
      `<|im_start|>user\n${asked}<|im_end|>\n<|im_start|>assistant\n<think>\n${thought}\n</think>\n\n${said}<|im_end|>\n`,
  ).join(
    "",
  )}{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n<think>\n`,
});
