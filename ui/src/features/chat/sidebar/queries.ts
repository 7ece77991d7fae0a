import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, fetchApi, fetchJson, type Schemas, unwrap } from "@/api/client";
import { CHATS } from "../queries";
import type { Chat } from "../wire";
import type { ChatSummary } from "./groups";

export interface Folder {
  id: string;
  name: string;
  chats?: number;
}

interface Hit {
  chat: Chat;
  message?: string | null;
  snippet: { text: string; hit?: boolean }[];
}

export const folderList = queryOptions({
  queryKey: [...CHATS, "folders"],
  queryFn: async ({ signal }) => {
    const { folders } = await fetchJson<{ folders: Folder[] }>("/api/ui/folders", undefined, { signal });
    return folders.toSorted((a, b) => a.name.localeCompare(b.name));
  },
});

/** The chats that have `words` in their titles or messages; all of them where there are none. */
export const chatsMatching = (words: string) =>
  queryOptions({
    queryKey: [...CHATS, "list", words],
    queryFn: ({ signal }): Promise<Found[]> => (words === "" ? listAll(signal) : search(words, signal)),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });

/** A chat that was found, and the words around what was searched for. */
export interface Found {
  chat: Chat;
  snippet?: Hit["snippet"];
}

const PAGES = 20;

async function listAll(signal: AbortSignal): Promise<Found[]> {
  const found: Found[] = [];
  let after: string | null = null;
  for (let page = 0; page < PAGES; page += 1) {
    const query: { after?: string } = after === null ? {} : { after };
    const { chats, next }: Schemas["ChatList"] = await unwrap(api.GET("/api/ui/chats", { params: { query }, signal }));
    found.push(...chats.map((chat) => ({ chat })));
    if (next == null) break;
    after = next;
  }
  return found;
}

async function search(words: string, signal: AbortSignal): Promise<Found[]> {
  const { hits } = await fetchJson<{ hits: Hit[] }>(`/api/ui/search?q=${encodeURIComponent(words)}`, undefined, {
    signal,
  });
  const first = new Map<string, Found>();
  for (const { chat, snippet } of hits) if (!first.has(chat.id)) first.set(chat.id, { chat, snippet });
  return [...first.values()];
}

/** Returns a chat as the sidebar shows it. */
export function summaryOf({ chat, snippet }: Found, folders: readonly Folder[]): ChatSummary {
  const folder = folders.find(({ id }) => id === chat.folder);
  return {
    id: chat.id,
    title: chat.title ?? "",
    folder: folder === undefined ? null : { id: folder.id, name: folder.name },
    pinned: chat.pinned === true,
    updatedAt: new Date(chat.updated * 1000),
    busy: (chat.running ?? 0) > 0,
    ...(snippet === undefined ? {} : { snippet: snippet.map(({ text, hit }) => ({ text, hit: hit === true })) }),
  };
}

export const createFolder = (name: string): Promise<Folder> => fetchJson("/api/ui/folders", { name });

export const deleteChat = (id: string): Promise<Schemas["Deleted"]> =>
  unwrap(api.DELETE("/api/ui/chats/{chat}", { params: { path: { chat: id } } }));

export const restoreChat = (id: string): Promise<Chat> =>
  unwrap(api.POST("/api/ui/chats/{chat}/restore", { params: { path: { chat: id } }, body: {} }));

/** Saves a chat as a file of the browser's. */
export async function saveChat({ id, title }: ChatSummary, format: "json" | "markdown"): Promise<void> {
  const response = await fetchApi(`/api/ui/chats/${encodeURIComponent(id)}/export?format=${format}`);
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = `${title.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) || "chat"}.${format === "json" ? "json" : "md"}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export interface ImportReport {
  chats: Chat[];
  left_out: string[];
}

/** Gives a file to the server: an export of mlxr's, of ChatGPT's or Open WebUI's, or a Markdown text. */
export async function importChats(file: File): Promise<ImportReport> {
  const text = await file.text();
  return fetchJson("/api/ui/chats/import", { content: jsonOr(text) });
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
