import { useState } from "react";
import type { MessageTree } from "./tree";

interface ShownLeaf {
  /** The end of the branch that is shown. */
  leaf: string | null;
  /** The chat goes on elsewhere, and this page stays, since somebody changes a message here that is not there. */
  isHeld: boolean;
  /** Shows the branch that ends with `leaf`, as the person here asks for. */
  go: (leaf: string | null) => void;
}

/**
 * Returns the end of the branch that is shown: the chat's `leaf`. Where another tab moves that away from a message that
 * is being changed here, of those in `typed`, the page stays where it is, so that nobody types into nothing.
 */
export function useShownLeaf(tree: MessageTree, leaf: string | null, typed: ReadonlyMap<string, string>): ShownLeaf {
  const [shown, go] = useState(leaf);
  const isHeld = shown !== leaf && losesEdit(tree, shown, leaf, typed);
  if (shown !== leaf && !isHeld) go(leaf);
  return { leaf: isHeld ? shown : leaf, isHeld, go };
}

function losesEdit(
  tree: MessageTree,
  from: string | null,
  to: string | null,
  typed: ReadonlyMap<string, string>,
): boolean {
  const there = new Set(tree.branch(to).map(({ id }) => id));
  return tree.branch(from).some(({ id }) => typed.has(id) && !there.has(id));
}
