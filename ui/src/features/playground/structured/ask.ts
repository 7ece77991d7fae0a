import { streamChoices } from "../shared/choices";
import type { Schema } from "./schema";

export interface StructuredInput {
  model: string;
  prompt: string;
  schema: Schema;
  max_tokens: number;
  temperature: number;
}

/** Has a model answer in JSON by a schema. `onText` is given each piece; returns why the model stopped. */
export function askStructured(
  { prompt, schema, ...rest }: StructuredInput,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<string | null> {
  const request = {
    ...rest,
    messages: [{ role: "user", content: prompt }],
    response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
  };
  return streamChoices<{ delta?: { content?: string | null } }>(
    "/v1/chat/completions",
    request,
    ({ delta }) => {
      if (delta?.content) onText(delta.content);
    },
    signal,
  );
}
