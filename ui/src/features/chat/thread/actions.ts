import { createContext, use } from "react";
import type { Message } from "../model";
import type { AnswerRequest } from "../wire";

/** What can be done with a message of the chat that is shown. */
export interface MessageActions {
  /** Answers the same message again, as another branch. */
  regenerate: (message: Message) => void;
  /** Goes on where an answer was cut or stopped. */
  goOn: (message: Message) => void;
  /** Sends a changed text as another branch, and asks for `answers`. Tells whether the server took it. */
  edit: (message: Message, text: string, answers: AnswerRequest[]) => Promise<boolean>;
  /** Keeps a changed text of an answer as another branch. Tells whether the server took it. */
  rewrite: (message: Message, text: string) => Promise<boolean>;
  /** Shows the branch that `id` is on. */
  showBranch: (id: string) => void;
  remove: (message: Message) => void;
}

const nothing = () => {};

/** Nothing can be done by default, as where a chat is only looked at. */
export const MessageActionsContext = createContext<MessageActions>({
  regenerate: nothing,
  goOn: nothing,
  edit: async () => false,
  rewrite: async () => false,
  showBranch: nothing,
  remove: nothing,
});

export const useMessageActions = (): MessageActions => use(MessageActionsContext);
