import { createContext, use } from "react";
import type { StreamState } from "@/api/events";
import type { Message } from "./model";
import type { MessageActions } from "./thread/actions";

/** A chat as its page has it: what is shown, and everything that can be done. `useChat` and `useNewChat` make it. */
export interface ChatController {
  /** Null before the first message is sent. */
  id: string | null;
  title: string;
  model: string | null;
  system: string;
  /** The branch that is shown, from the first message to its end. */
  messages: readonly Message[];
  /** An answer is being made. */
  busy: boolean;
  connection: StreamState;
  /** Throws an `ApiError` where the server refuses it. */
  send: (text: string) => Promise<void>;
  stop: () => void;
  setTitle: (title: string) => void;
  setModel: (model: string) => void;
  setSystem: (system: string) => void;
  actions: MessageActions;
}

export const ChatContext = createContext<ChatController | null>(null);

/** Returns the chat around, for what stands in its header, its composer or its panel. */
export function useChatController(): ChatController {
  const chat = use(ChatContext);
  if (chat === null) throw new Error("there is no chat around this component");
  return chat;
}
