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
 * Returns the answer that is shown to the last thing that the person said, and one of another model to it: `beside`, or
 * else the latest. Each model keeps its side: the one that answered first is the first. Null where there are no two, and
 * where the answer that is shown is what a person made of one: that has no model, and they go on with it.
 */
export function comparisonOf(tree: MessageTree, messages: readonly Message[], beside?: string): Comparison | null {
  const at = messages.findLastIndex(({ role }) => role === "user");
  const to = messages[at]?.id;
  if (to === undefined) return null;
  const answers = answersTo(tree, to);
  const shown = messages[at + 1]?.turn ?? answers.at(-1);
  const others = answers.filter(({ model }) => model !== shown?.model);
  const other = others.find(({ id }) => id === beside) ?? others.at(-1);
  if (shown?.model == null || other === undefined) return null;
  const first = answers.find(({ model }) => model === shown.model || model === other.model);
  return { to, answers: first?.model === shown.model ? [shown, other] : [other, shown] };
}

/** Returns the ids of the answers that the same model has given to the same message. */
export const versionsOf = (tree: MessageTree, { parent, model }: ChatTurn): string[] =>
  answersTo(tree, parent ?? null).flatMap((answer) => (answer.model === model ? [answer.id] : []));

const answersTo = (tree: MessageTree, to: string | null): ChatTurn[] =>
  tree.turns.filter(({ parent, role, model }) => parent === to && role === "assistant" && model != null);
