import type { ChatTurn } from "./wire";

/** The messages of a chat by their places: which follow which. Parents come before their children in `turns`. */
export class MessageTree {
  private readonly byId: ReadonlyMap<string, ChatTurn>;
  private readonly childrenOf: ReadonlyMap<string | null, readonly ChatTurn[]>;

  constructor(readonly turns: readonly ChatTurn[]) {
    this.byId = new Map(turns.map((turn) => [turn.id, turn]));
    const childrenOf = new Map<string | null, ChatTurn[]>();
    for (const turn of turns) {
      const parent = turn.parent ?? null;
      const children = childrenOf.get(parent);
      if (children === undefined) childrenOf.set(parent, [turn]);
      else children.push(turn);
    }
    this.childrenOf = childrenOf;
  }

  readonly has = (id: string): boolean => this.byId.has(id);

  /** The branch that ends with `leaf`, from its first message. */
  branch(leaf: string | null): ChatTurn[] {
    const branch: ChatTurn[] = [];
    let turn = leaf === null ? undefined : this.byId.get(leaf);
    while (turn !== undefined) {
      branch.push(turn);
      turn = turn.parent == null ? undefined : this.byId.get(turn.parent);
    }
    return branch.reverse();
  }

  /** The ids of the branches at `turn`'s place. */
  siblings({ parent }: ChatTurn): string[] {
    return (this.childrenOf.get(parent ?? null) ?? []).map(({ id }) => id);
  }

  /** The end of the latest branch through the message `id`. */
  leafThrough(id: string): string {
    let leaf = id;
    for (let last = this.childrenOf.get(leaf)?.at(-1); last !== undefined; last = this.childrenOf.get(leaf)?.at(-1)) {
      leaf = last.id;
    }
    return leaf;
  }
}
