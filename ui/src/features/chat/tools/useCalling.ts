import { useEffect, useMemo, useSyncExternalStore } from "react";
import { useChatController } from "../controller";
import type { Message } from "../model";
import { giveResults, patchCall } from "../requests";
import type { ChatCall } from "../wire";
import { aloneInBrowser, type Calling, MOST_ROUNDS } from "./runner";
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

/** Tells whether a call waits for the person's word: nothing runs it by itself, and nothing denies it. */
export function useAsksForWord(): (message: Message, call: ChatCall) => boolean {
  const { runner, all, settings } = useTools();
  useSyncExternalStore(runner.subscribe, runner.version);
  const { messages } = useChatController();
  return ({ id, state }, call) => {
    if (state !== "tools" || (call.state ?? "waiting") !== "waiting" || settings === undefined) return false;
    if (runner.runsHere(id, call.id)) return false;
    if (runner.error(id, call.id) !== undefined) return true;
    const tool = all.find((known) => known.id === call.name);
    const approval = tool === undefined ? "ask" : modeOf(settings, tool).approval;
    return approval === "ask" || (approval === "always" && roundsUpTo(messages, id) > MOST_ROUNDS);
  };
}

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
