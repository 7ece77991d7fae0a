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
 * Returns the answer that is shown to the last thing that the person said, and the latest of another model to it. Each
 * model keeps its side: the one that answered first is the first. Null where there are no two, and where the answer
 * that is shown is what a person made of one: that has no model, and they go on with it.
 */
export function comparisonOf(tree: MessageTree, messages: readonly Message[]): Comparison | null {
  const at = messages.findLastIndex(({ role }) => role === "user");
  const to = messages[at]?.id;
  if (to === undefined) return null;
  const answers = tree.turns.filter(
    ({ parent, role, model }) => parent === to && role === "assistant" && model != null,
  );
  const shown = messages[at + 1]?.turn ?? answers.at(-1);
  const other = answers.findLast(({ model }) => model !== shown?.model);
  if (shown?.model == null || other === undefined) return null;
  const first = answers.find(({ model }) => model === shown.model || model === other.model);
  return { to, answers: first?.model === shown.model ? [shown, other] : [other, shown] };
}
