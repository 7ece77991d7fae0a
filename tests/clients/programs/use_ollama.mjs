// npm's `ollama` under Node: models, chats, streams, formats, embeddings, copies, errors.
import assert from "node:assert/strict";
import { Ollama } from "ollama";

const client = new Ollama({ host: process.argv[2] });
const model = "smollm2";
const messages = [{ role: "user", content: "Is the sky blue or green? Answer in one word." }];
const options = { temperature: 0, num_predict: 12 };

const whole = await client.chat({ model, messages, options });
let text = "";
let last;
for await (const part of await client.chat({ model, messages, options, stream: true })) {
  text += part.message.content;
  last = part;
}
assert.equal(text, whole.message.content);
assert(last.done && last.eval_count > 0 && last.total_duration >= 1);

const format = {
  type: "object",
  properties: { color: { type: "string", enum: ["blue", "green"] } },
  required: ["color"],
  additionalProperties: false,
};
const held = await client.generate({ model, prompt: "What color is the sky?", format, options: { num_predict: 40 } });
assert.match(JSON.parse(held.response).color, /^(blue|green)$/);

const embedded = await client.embed({ model: "minilm", input: ["one", "two"] });
assert.deepEqual(embedded.embeddings.map((vector) => vector.length), [384, 384]);

assert((await client.list()).models.some((found) => found.model === "smollm2:latest"));
assert((await client.ps()).models.some((found) => found.model === "smollm2:latest"));
assert((await client.show({ model })).capabilities.includes("tools"));
assert.equal((await client.copy({ source: model, destination: "nodes" })).status, "success");
const steps = [];
for await (const step of await client.create({ model: "briefer", from: "nodes", system: "Be brief.", stream: true }))
  steps.push(step.status);
assert.equal(steps.at(-1), "success");
for (const name of ["briefer", "nodes"]) await client.delete({ model: name });

await assert.rejects(client.show({ model: "nobody" }), /not found/);
await assert.rejects(client.chat({ model, messages, think: true }), /does not support thinking/);
const stopped = await client.chat({ model, messages, stream: true, options: { num_predict: 2000 } });
await assert.rejects(async () => {
  for await (const _ of stopped) stopped.abort();
}, { name: "AbortError" });
