import type { Schemas } from "@/api/client";

/** The server's own structs, by the names that the rest of the feature uses; docs/ui-api.md says what they mean. */
export type Chat = Schemas["Chat"];
export type ChatDetail = Schemas["ChatDetail"];
export type ChatTurn = Schemas["ChatTurn"];
export type TurnState = NonNullable<ChatTurn["state"]>;
export type Content = NonNullable<ChatTurn["content"]>[number];
export type ImageContent = Schemas["ImagePart"];
export type FileContent = Schemas["FilePart"];
export type ChatCall = Schemas["ChatCall"];
export type CallState = NonNullable<ChatCall["state"]>;
export type CallResult = Schemas["ToolResult"];
export type ChatUsage = Schemas["ChatUsage"];
export type ChatLogprob = Schemas["ChatLogprob"];
export type AnswerParameters = Schemas["AnswerParameters"];
export type AnswerRequest = Schemas["AnswerRequest"];
export type Answers = Schemas["Answers"];
