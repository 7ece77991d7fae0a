import type { LiveText } from "./live/LiveText";
import type { ChatCall, ChatTurn, FileContent, ImageContent, TurnState } from "./wire";

/**
 * A part of a message, shown by the view that `parts/registry.tsx` has for its kind. While its text still streams in,
 * `live` has it, and `text` is what was there when the page began to follow the answer.
 */
export type Part =
  | { kind: "text"; text: string; live?: LiveText }
  | { kind: "reasoning"; text: string; seconds: number | null; live?: LiveText }
  | { kind: "image"; image: ImageContent }
  | { kind: "file"; file: FileContent }
  | { kind: "call"; call: ChatCall };

/** A message as the thread shows it: the server's, its parts in their order, and its place among its branches. */
export interface Message {
  id: string;
  role: ChatTurn["role"];
  state: TurnState;
  parts: readonly Part[];
  /** The ids of its branches, this one among them, in their order. */
  siblings: readonly string[];
  turn: ChatTurn;
}

export const isOpen = ({ state }: { state?: TurnState }): boolean => state === "waiting" || state === "streaming";

/** Returns the text of a message, as it is copied and edited. */
export const textOf = ({ parts }: Message): string =>
  parts.flatMap((part) => (part.kind === "text" ? [part.live?.text ?? part.text] : [])).join("\n\n");
