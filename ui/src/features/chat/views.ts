import type { ChatFollower } from "./live/ChatFollower";
import type { Message, Part } from "./model";
import type { MessageTree } from "./tree";
import type { ChatTurn } from "./wire";

/** Makes the messages that the thread shows. A message that has not changed is the same object as before. */
export class MessageViews {
  private readonly known = new WeakMap<ChatTurn, Message>();
  private readonly knownLive = new WeakMap<readonly Part[], Message>();

  constructor(private readonly follower: Pick<ChatFollower, "answer">) {}

  branch(tree: MessageTree, leaf: string | null): Message[] {
    return tree.branch(leaf).map((turn) => this.view(turn, tree.siblings(turn)));
  }

  private view(turn: ChatTurn, siblings: readonly string[]): Message {
    const answer = this.follower.answer(turn.id);
    if (answer === undefined) {
      return this.kept(this.known, turn, siblings, () => ({ ...base(turn), parts: partsOf(turn), siblings }));
    }
    const message = answer.message(siblings);
    const known = this.knownLive.get(message.parts);
    if (known?.state === message.state && same(known.siblings, siblings)) return known;
    this.knownLive.set(message.parts, message);
    return message;
  }

  private kept<Key extends object>(
    map: WeakMap<Key, Message>,
    key: Key,
    siblings: readonly string[],
    make: () => Message,
  ): Message {
    const known = map.get(key);
    if (known !== undefined && same(known.siblings, siblings)) return known;
    // Its parts stay the same objects, so that a text is not parsed again for another branch beside it.
    const made = known === undefined ? make() : { ...known, siblings };
    map.set(key, made);
    return made;
  }
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

const base = (turn: ChatTurn) => ({ id: turn.id, role: turn.role, state: turn.state ?? ("done" as const), turn });

/** Returns the parts of a message in the order in which they are shown. */
function partsOf(turn: ChatTurn): Part[] {
  const parts: Part[] = [];
  if (turn.reasoning) parts.push({ kind: "reasoning", text: turn.reasoning, seconds: turn.reasoning_seconds ?? null });
  for (const content of turn.content ?? []) {
    if (content.type === "text") parts.push({ kind: "text", text: content.text });
    else if (content.type === "image") parts.push({ kind: "image", image: content });
    else parts.push({ kind: "file", file: content });
  }
  for (const call of turn.tool_calls ?? []) parts.push({ kind: "call", call });
  return parts;
}
