import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { loadedModels } from "@/api/models";
import type { ChatController } from "../controller";

/** Returns how much of the loaded model's context the chat filled when it was last answered; null if unknown. */
export function useContextUse({ model, messages }: ChatController): { used: number; context: number } | null {
  const { data, refetch } = useQuery(loadedModels);
  const context = data?.find(({ name }) => name === model)?.context_length;
  const answer = messages.findLast(({ turn }) => turn.usage != null);
  const usage = answer?.turn.usage;
  const unknown = answer !== undefined && context === undefined ? answer.id : undefined;
  // A model that has answered is loaded: its context is asked for at once, and not at the next turn of the interval.
  useEffect(() => {
    if (unknown !== undefined) void refetch();
  }, [unknown, refetch]);
  if (context === undefined || usage == null) return null;
  return { used: (usage.prompt_tokens ?? 0) + (usage.completion_tokens ?? 0), context };
}
