import { queryOptions } from "@tanstack/react-query";
import type { ChatSummary } from "../model";
export const CHATS = ["chats"] as const;
export const chatsMatching = (words: string) =>
  queryOptions({ queryKey: [...CHATS, "list", words], queryFn: async (): Promise<ChatSummary[]> => [] });
export async function changeChat(_change: {
  id: string;
  title?: string;
  pinned?: boolean;
  folder?: string | null;
}): Promise<void> {}
export async function deleteChat(_id: string): Promise<void> {}
export async function saveChat(_chat: ChatSummary, _format: "json" | "markdown"): Promise<void> {}
export async function importChats(_file: File): Promise<number> {
  return 0;
}
