import { useEffect, useMemo } from "react";
import { useChatController } from "../controller";
import type { Message } from "../model";
import { giveResults, patchCall } from "../requests";
import { aloneInBrowser, type Calling } from "./runner";
import { modeOf } from "./settings";
import { useTools } from "./ToolsProvider";

/** Returns how many answers up to `id` have called tools since the person last said something. */
function roundsUpTo(messages: readonly Message[], id: string): number {
  let rounds = 0;
  for (const { id: each, role, turn } of messages) {
    if (role === "user") rounds = 0;
    else if ((turn.tool_calls?.length ?? 0) > 0) rounds += 1;
    if (each === id) break;
  }
  return rounds;
}

export const useRounds = (id: string): number => roundsUpTo(useChatController().messages, id);

/** Returns the answers in view that wait for results of their calls. */
function callingOf(messages: readonly Message[]): Calling[] {
  const known = new Map<string, Calling>();
  for (const { id, state, turn } of messages) {
    if (state !== "tools" || known.has(id)) continue;
    known.set(id, { message: id, round: roundsUpTo(messages, id), calls: turn.tool_calls ?? [] });
  }
  return [...known.values()];
}

/** Runs the tools that the chat in view calls, where they need no word of the person, or have it. */
export function useToolLoop(id: string | null, messages: readonly Message[]): void {
  const { runner, all, settings } = useTools();
  const calling = useMemo(() => callingOf(messages), [messages]);
  useEffect(() => {
    runner.world =
      id === null
        ? undefined
        : {
            find: (name) => all.find((tool) => tool.id === name),
            mode: (tool) => modeOf(settings, tool),
            setState: async (message, call, state) => void (await patchCall(id, message, call, state)),
            give: async (message, results) => void (await giveResults(id, message, results)),
            alone: aloneInBrowser,
          };
    if (settings !== undefined) runner.consider(calling);
  }, [runner, id, all, settings, calling]);
}
