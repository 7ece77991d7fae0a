import { fetchApi } from "@/api/client";
import { ApiError, errorFrom } from "@/api/errors";
import { readEvents } from "@/api/events";
import type { Schema } from "./schema";

export interface StructuredInput {
  model: string;
  prompt: string;
  schema: Schema;
  max_tokens: number;
  temperature: number;
}

interface Chunk {
  choices?: readonly { delta?: { content?: string | null }; finish_reason?: string | null }[];
  error?: unknown;
}

/** Has a model answer in JSON by a schema. `onText` is given each piece; returns why the model stopped. */
export async function askStructured(
  { prompt, schema, ...rest }: StructuredInput,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<string | null> {
  const body = JSON.stringify({
    ...rest,
    messages: [{ role: "user", content: prompt }],
    response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
    stream: true,
  });
  const response = await fetchApi("/v1/chat/completions", { method: "POST", body, signal });
  let finish: string | null = null;
  let ended = false;
  await readEvents(response, ({ data }) => {
    if (data === "[DONE]") {
      ended = true;
      return;
    }
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error !== undefined) throw errorFrom(chunk, response);
    const choice = chunk.choices?.[0];
    if (choice?.delta?.content) onText(choice.delta.content);
    finish = choice?.finish_reason ?? finish;
  });
  if (!ended) throw new ApiError("The connection to the server broke.", 0, "broken");
  return finish;
}
