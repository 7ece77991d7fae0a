import { fetchJson } from "@/api/client";
import type { AnswerParameters, Chat, ChatTurn, Content } from "./wire";

/** Where a chat is found, and what happens in it. */
export const chatPath = (id: string): string => `/api/ui/chats/${encodeURIComponent(id)}`;
export const eventsPath = (id: string): string => `${chatPath(id)}/events`;
const messagePath = (chat: string, id: string): string => `${chatPath(chat)}/messages/${encodeURIComponent(id)}`;

export interface AnswerRequest {
  model?: string;
  parameters?: AnswerParameters | null;
  tools?: { name: string; description?: string; parameters?: Record<string, unknown> }[];
  tool_choice?: string;
}

export interface NewMessage {
  content: Content[];
  role?: "user" | "assistant" | "system";
  /** Left out: the end of the branch in view; null: it is a first one. */
  parent?: string | null;
  answers?: AnswerRequest[];
}

/** What sending or answering again led to. */
export interface Answers {
  chat: Chat;
  message?: ChatTurn | null;
  answers?: ChatTurn[];
}

export interface ChatChange {
  title?: string;
  folder?: string | null;
  pinned?: boolean;
  model?: string | null;
  system?: string;
  parameters?: AnswerParameters;
  leaf?: string;
}

export const createChat = (chat: {
  model: string | null;
  system: string;
  parameters?: AnswerParameters;
}): Promise<Chat> => fetchJson("/api/ui/chats", chat);

export const patchChat = (id: string, change: ChatChange): Promise<Chat> =>
  fetchJson(chatPath(id), change, { method: "PATCH" });

export const sendMessage = (id: string, message: NewMessage): Promise<Answers> =>
  fetchJson(`${chatPath(id)}/messages`, message);

export const answerAgain = (chat: string, message: string, answers: AnswerRequest[] = [{}]): Promise<Answers> =>
  fetchJson(`${messagePath(chat, message)}/answers`, { answers });

export const continueAnswer = (chat: string, message: string): Promise<Answers> =>
  fetchJson(`${messagePath(chat, message)}/continue`, {});

/** Aborts every answer of the chat that is on its way. */
export const stopAnswers = (chat: string): Promise<Answers> => fetchJson(`${chatPath(chat)}/stop`, {});

/** Deletes a message and all that follow it. */
export const deleteMessage = (chat: string, message: string): Promise<Chat> =>
  fetchJson(messagePath(chat, message), undefined, { method: "DELETE" });
