import { createContext, use } from "react";
import type { StreamState } from "@/api/events";
import type { ProgressBoard } from "./live/progress";
import type { Message } from "./model";
import type { PendingChanges } from "./PendingChanges";
import type { ChatChange } from "./requests";
import type { MessageActions } from "./thread/actions";
import type { MessageTree } from "./tree";
import type { AnswerParameters, AnswerRequest, Chat, Content } from "./wire";

/** A chat as its page has it: what is shown, and everything that can be done. `useChat` and `useNewChat` make it. */
export interface ChatController {
  /** Null before the first message is sent. */
  id: string | null;
  chat: Chat | null;
  /** Why it can't be shown. */
  error: Error | null;
  loading: boolean;
  retry: () => void;
  title: string;
  model: string | null;
  /** The model is not known yet. */
  modelPending: boolean;
  system: string;
  parameters: AnswerParameters;
  /** It is not kept. */
  temporary: boolean;
  /** The branch that is shown, from the first message to its end. */
  messages: readonly Message[];
  /** The latest branch through the message `id`, whether or not it is shown. */
  branchThrough: (id: string) => readonly Message[];
  /** All messages, of all branches. */
  tree: MessageTree;
  /** An answer is being made. */
  busy: boolean;
  connection: StreamState;
  progress: ProgressBoard;
  /** Sends a message, and asks for `answers`, or for one of the chat's model. Throws what the server refuses. */
  send: (content: Content[], answers?: AnswerRequest[]) => Promise<void>;
  /** How many messages were sent from here. */
  sent: number;
  stop: () => void;
  /** Changes the chat's title, model, system prompt or parameters, or whether it is kept. It is shown at once. */
  change: (asked: ChatChange) => void;
  /** The changes that the server has not taken yet: they come before the answer that is asked for next. */
  pending: PendingChanges;
  /** Goes where another tab went with the chat; null unless this one stays, since somebody changes a message here. */
  goElsewhere: (() => void) | null;
  actions: MessageActions;
}

export const ChatContext = createContext<ChatController | null>(null);

/** Returns the chat around, for what stands in its header, its composer or its panel. */
export function useChatController(): ChatController {
  const chat = use(ChatContext);
  if (chat === null) throw new Error("there is no chat around this component");
  return chat;
}
