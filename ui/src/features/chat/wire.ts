/** The server's own structs, by the names that the rest of the feature uses. */

export type Role = "system" | "user" | "assistant";
export type TurnState = "waiting" | "streaming" | "tools" | "done" | "cut" | "stopped" | "failed";
export interface AnswerParameters {
  [name: string]: unknown;
}
export interface TextContent {
  type: "text";
  text: string;
}
export interface ImageContent {
  type: "image";
  digest: string;
  media_type?: string;
  name?: string;
}
export interface FileContent {
  type: "file";
  name: string;
  text: string;
  media_type?: string;
}
export type Content = TextContent | ImageContent | FileContent;
export interface ChatCall {
  id: string;
  name: string;
  arguments?: string;
  state?: "waiting" | "running" | "done" | "failed" | "denied";
  result?: string | null;
}
export interface ChatUsage {
  prompt_tokens?: number;
  cached_tokens?: number;
  completion_tokens?: number;
  reasoning_tokens?: number;
  ttft?: number | null;
  load?: number | null;
  seconds?: number | null;
  tokens_per_second?: number | null;
}
export interface ChatLogprob {
  token: string;
  logprob: number;
  top?: { token: string; logprob: number }[];
}
export interface ChatTurn {
  id: string;
  parent?: string | null;
  role: Role;
  created: number;
  content?: Content[];
  reasoning?: string;
  reasoning_seconds?: number | null;
  tool_calls?: ChatCall[];
  tools?: { name: string; description?: string; parameters?: Record<string, unknown> | null; strict?: boolean }[];
  tool_choice?: string;
  state?: TurnState;
  model?: string | null;
  parameters?: AnswerParameters | null;
  usage?: ChatUsage | null;
  tokens?: number;
  finish_reason?: string | null;
  error?: string | null;
  logprobs?: ChatLogprob[] | null;
  continuable?: boolean;
}
export interface Chat {
  id: string;
  title?: string;
  titled_by?: string | null;
  folder?: string | null;
  pinned?: boolean;
  archived?: boolean;
  created: number;
  updated: number;
  version?: number;
  leaf?: string | null;
  model?: string | null;
  system?: string;
  parameters?: AnswerParameters;
  running?: number;
  deleted?: number | null;
}
export interface ChatDetail {
  chat: Chat;
  messages: ChatTurn[];
}
