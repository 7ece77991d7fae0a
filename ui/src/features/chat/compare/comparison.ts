import type { Message } from "../model";
import type { MessageTree } from "../tree";
import type { ChatTurn } from "../wire";

/** Two answers of different models to one message. */
export interface Comparison {
  /** The id of what they answer. */
  to: string;
  answers: readonly [ChatTurn, ChatTurn];
}

/**
 * Returns the latest answers that two models wrote to the last thing that the person said, or null where there are
 * none. The one that was asked for first comes first.
 */
export function comparisonOf(tree: MessageTree, messages: readonly Message[]): Comparison | null {
  const to = messages.findLast(({ role }) => role === "user");
  if (to === undefined) return null;
  const answers = tree.turns.filter(
    ({ parent, role, model }) => parent === to.id && role === "assistant" && model != null,
  );
  const last = answers.at(-1);
  const other = answers.findLast(({ model }) => model !== last?.model);
  if (last === undefined || other === undefined) return null;
  return { to: to.id, answers: [other, last] };
}
