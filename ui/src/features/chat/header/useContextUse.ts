import { useQuery } from "@tanstack/react-query";
import { loadedModels } from "@/api/models";
import type { ChatController } from "../controller";

/** Returns how much of the loaded model's context the chat filled when it was last answered; null if unknown. */
export function useContextUse({ model, messages }: ChatController): { used: number; context: number } | null {
  const { data } = useQuery(loadedModels);
  const context = data?.find(({ name }) => name === model)?.context_length;
  const usage = messages.findLast(({ turn }) => turn.usage != null)?.turn.usage;
  if (context === undefined || usage == null) return null;
  return { used: (usage.prompt_tokens ?? 0) + (usage.completion_tokens ?? 0), context };
}
