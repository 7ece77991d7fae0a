// npm's `openai` under Node: models, chats, streams, tools, structured output, embeddings, responses, errors.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const model = "smollm2";
const messages = [{ role: "user", content: "Is the sky blue or green? Answer in one word." }];
const bounded = { max_tokens: 12, temperature: 0 };
const parameters = {
  type: "object",
  properties: { city: { type: "string", maxLength: 20 }, unit: { type: "string", enum: ["c", "f"] } },
  required: ["city", "unit"],
  additionalProperties: false,
};

const names = [];
for await (const found of client.models.list()) names.push(found.id);
assert(names.includes(model));

const whole = await client.chat.completions.create({ model, messages, ...bounded });
const stream = client.chat.completions.stream({ model, messages, ...bounded });
const final = await stream.finalChatCompletion();
assert.equal(final.choices[0].message.content, whole.choices[0].message.content);

const tools = [{ type: "function", function: { name: "get_weather", description: "The weather", parameters } }];
const called = await client.chat.completions
  .stream({ model, messages, tools, tool_choice: "required", parallel_tool_calls: false, max_tokens: 80 })
  .finalChatCompletion();
assert.equal(called.choices[0].finish_reason, "tool_calls");
const call = called.choices[0].message.tool_calls[0];
assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)), ["city", "unit"]);
const told = await client.chat.completions.create({
  model,
  messages: [...messages, called.choices[0].message, { role: "tool", tool_call_id: call.id, content: "Snow" }],
  tools,
  ...bounded,
});
assert(told.choices[0].message.content);

const response_format = { type: "json_schema", json_schema: { name: "place", schema: parameters, strict: true } };
const held = await client.chat.completions.parse({ model, messages, response_format, max_tokens: 80 });
assert.deepEqual(Object.keys(JSON.parse(held.choices[0].message.content)), ["city", "unit"]);

const embedded = await client.embeddings.create({ model: "minilm", input: ["one", "two"] });
assert.deepEqual(embedded.data.map((item) => item.embedding.length), [384, 384]);
assert(Math.abs(Math.hypot(...embedded.data[0].embedding) - 1) < 1e-3);

const text = await client.completions.create({ model, prompt: "The capital of France is", max_tokens: 6, temperature: 0 });
assert.match(text.choices[0].text, /Paris/);

const response = await client.responses.create({ model, input: "Hi", max_output_tokens: 8, temperature: 0 });
const types = [];
let streamed = "";
for await (const event of await client.responses.create({
  model, input: "Hi", max_output_tokens: 8, temperature: 0, stream: true,
})) {
  types.push(event.type);
  if (event.type === "response.output_text.delta") streamed += event.delta;
}
assert.equal(streamed, response.output_text);
assert.equal(types[0], "response.created");

await assert.rejects(client.chat.completions.create({ model: "nobody", messages }), OpenAI.NotFoundError);
await assert.rejects(client.chat.completions.create({ model, messages, n: 1000 }), OpenAI.BadRequestError);
const stopped = await client.chat.completions.create({ model, messages, stream: true, max_tokens: 2000 });
for await (const _ of stopped) stopped.controller.abort();
