import { fetchApi } from "@/api/client";
import { connectionError, errorFrom } from "@/api/errors";
import { readEvents } from "@/api/events";

interface Chunk<Choice> {
  choices?: readonly (Choice & { finish_reason?: string | null })[];
  error?: unknown;
}

/** Asks one of OpenAI's endpoints for a stream. `onChoice` is given each piece of the first choice as it comes; returns
 * why the model stopped, and throws an `ApiError` where the stream has one or breaks off. */
export async function streamChoices<Choice>(
  path: string,
  request: object,
  onChoice: (choice: Choice) => void,
  signal: AbortSignal,
): Promise<string | null> {
  const body = JSON.stringify({ ...request, stream: true });
  const response = await fetchApi(path, { method: "POST", body, signal });
  let finish: string | null = null;
  let ended = false;
  let refused: Chunk<Choice> | undefined;
  await readEvents(response, ({ data }) => {
    if (data === "[DONE]") {
      ended = true;
      return;
    }
    const chunk = JSON.parse(data) as Chunk<Choice>;
    if (chunk.error !== undefined) refused = chunk;
    const choice = chunk.choices?.[0];
    if (choice === undefined) return;
    onChoice(choice);
    finish = choice.finish_reason ?? finish;
  });
  if (refused !== undefined) throw await errorFrom(refused, response);
  if (!ended) throw connectionError("broken");
  return finish;
}
