import type { LiveText } from "./live/LiveText";

/** What the views know of a chat. `queries.ts` makes it of what the server tells. */

export type Role = "user" | "assistant" | "system" | "tool";

/**
 * What of a message is shown by one view: `parts/registry.tsx` has a view for each kind. `live` has the text while it
 * still streams in; `text` is then what was there when the page began to follow it.
 */
export type Part =
  | { kind: "text"; text: string; live?: LiveText }
  | { kind: "reasoning"; text: string; seconds: number | null; live?: LiveText }
  | { kind: "other"; type: string; value: unknown };

/** How an answer fared. `cut`: the limit of tokens or of the context ended it. */
export type MessageState = "waiting" | "streaming" | "done" | "stopped" | "cut" | "failed";

export interface Usage {
  promptTokens: number | null;
  cachedTokens: number | null;
  completionTokens: number | null;
  tokensPerSecond: number | null;
  /** Time to the first token. */
  firstTokenSeconds: number | null;
}

export interface Message {
  id: string;
  parent: string | null;
  role: Role;
  parts: readonly Part[];
  model: string | null;
  createdAt: Date;
  state: MessageState;
  /** Why it failed, in the server's words. */
  error: string | null;
  usage: Usage | null;
  /** Messages that answer the same one, in their order, this one among them. */
  siblings: readonly string[];
}

export const isOpen = ({ state }: Message): boolean => state === "waiting" || state === "streaming";

/** Returns the text of a message, as it is copied and edited. */
export const textOf = ({ parts }: Message): string =>
  parts.flatMap((part) => (part.kind === "text" ? [part.live?.text ?? part.text] : [])).join("\n\n");

/** A chat as the sidebar lists it. */
export interface ChatSummary {
  id: string;
  title: string;
  folder: string | null;
  pinned: boolean;
  updatedAt: Date;
  /** An answer of it is being made. */
  busy: boolean;
}
