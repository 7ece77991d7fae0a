import { api, type Schemas, unwrap } from "@/api/client";
import type { AnswerRequest, Answers, CallResult, CallState, Chat, ChatTurn } from "./wire";

export type NewMessage = Schemas["SendMessage"];
export type ChatChange = Schemas["PatchChat"];

/** Where the events of a chat come from. */
export const eventsPath = (id: string): string => `/api/ui/chats/${encodeURIComponent(id)}/events`;

const at = (chat: string) => ({ params: { path: { chat } } });
const within = (chat: string, message: string) => ({ params: { path: { chat, message } } });

export const createChat = (body: Schemas["CreateChat"]): Promise<Chat> => unwrap(api.POST("/api/ui/chats", { body }));

export const patchChat = (id: string, body: ChatChange): Promise<Chat> =>
  unwrap(api.PATCH("/api/ui/chats/{chat}", { ...at(id), body }));

export const deleteChat = (id: string): Promise<Schemas["Deleted"]> =>
  unwrap(api.DELETE("/api/ui/chats/{chat}", at(id)));

export const sendMessage = (id: string, body: NewMessage): Promise<Answers> =>
  unwrap(api.POST("/api/ui/chats/{chat}/messages", { ...at(id), body }));

/** Answers a question again, or makes an answer again; what is left out is as it was. */
export const answerAgain = (chat: string, message: string, answers: AnswerRequest[] = [{}]): Promise<Answers> =>
  unwrap(api.POST("/api/ui/chats/{chat}/messages/{message}/answers", { ...within(chat, message), body: { answers } }));

export const continueAnswer = (chat: string, message: string): Promise<Answers> =>
  unwrap(api.POST("/api/ui/chats/{chat}/messages/{message}/continue", { ...within(chat, message), body: {} }));

/** Aborts every answer of the chat that is on its way. */
export const stopAnswers = (id: string): Promise<Answers> =>
  unwrap(api.POST("/api/ui/chats/{chat}/stop", { ...at(id), body: {} }));

/** Deletes a message and all that follow it. */
export const deleteMessage = (chat: string, message: string): Promise<Chat> =>
  unwrap(api.DELETE("/api/ui/chats/{chat}/messages/{message}", within(chat, message)));

/** Brings results of calls. Those that came before stand; once each call has one, the answer goes on. */
export const giveResults = (chat: string, message: string, results: CallResult[]): Promise<Answers> =>
  unwrap(
    api.POST("/api/ui/chats/{chat}/messages/{message}/tool_results", { ...within(chat, message), body: { results } }),
  );

/** Tells the other tabs where a call stands. */
export const patchCall = (chat: string, message: string, call: string, state: CallState): Promise<ChatTurn> =>
  unwrap(
    api.PATCH("/api/ui/chats/{chat}/messages/{message}/tool_calls/{call}", {
      params: { path: { chat, message, call } },
      body: { state },
    }),
  );
