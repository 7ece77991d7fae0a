import { keepPreviousData, type QueryClient, queryOptions, skipToken } from "@tanstack/react-query";
import { api, fetchApi, type Schemas, unwrap } from "@/api/client";
import { saveFile } from "@/components/saveFile";
import { CHATS } from "../queries";
import type { Chat } from "../wire";
import type { ChatSummary } from "./groups";

export type Folder = Schemas["Folder"];

/** A chat that was found, and the words around what was searched for. */
export interface Found {
  chat: Chat;
  snippet?: Schemas["SearchHit"]["snippet"];
  /** Where that is; null for the title. */
  message?: string | null | undefined;
}

export const folderList = queryOptions({
  queryKey: [...CHATS, "folders"],
  queryFn: async ({ signal }) => {
    const { folders } = await unwrap(api.GET("/api/ui/folders", { signal }));
    return folders.toSorted((a, b) => a.name.localeCompare(b.name));
  },
});

/** The chats that have `words` in their titles or messages; all of them where there are none. */
export const chatsMatching = (words: string) =>
  queryOptions({
    queryKey: [...CHATS, "list", words],
    queryFn: ({ signal, client }): Promise<Found[]> =>
      words === "" ? listAll(signal, client, [...CHATS, "list", words]) : search(words, signal),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });

/** The chats that are out of the way: only a search finds them besides. */
export const archivedChats = queryOptions({
  queryKey: [...CHATS, "archived"],
  queryFn: ({ signal, client }): Promise<Found[]> => listAll(signal, client, [...CHATS, "archived"], true),
});

/** What people should know of all chats, in the server's words; null where there is nothing. Comes with the list. */
export const chatsNotice = queryOptions<{ text: string; read: boolean } | null>({
  queryKey: [...CHATS, "notice"],
  queryFn: skipToken,
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: Number.POSITIVE_INFINITY,
});

/** Takes what the server says now: what was read already stays so until it is over. */
export const takeNotice = (client: QueryClient, text: string | null): void => {
  client.setQueryData(chatsNotice.queryKey, (known) =>
    text === null ? null : known?.text === text ? known : { text, read: false },
  );
};

export const readNotice = (client: QueryClient): void => {
  client.setQueryData(chatsNotice.queryKey, (known) => known && { ...known, read: true });
};

/** More chats than these are found by searching. */
const MOST = 20_000;

/** Reads all chats. Where none are known at `key` yet, those that have come are shown there while more do. */
async function listAll(
  signal: AbortSignal,
  client: QueryClient,
  key: readonly string[],
  archived = false,
): Promise<Found[]> {
  const found: Found[] = [];
  const isFirst = client.getQueryData(key) === undefined;
  let after: string | null | undefined;
  do {
    const query = {
      limit: after == null ? 100 : 1000,
      ...(archived ? { archived: "true" as const } : {}),
      ...(after == null ? {} : { after }),
    };
    const page: Schemas["ChatList"] = await unwrap(api.GET("/api/ui/chats", { params: { query }, signal }));
    takeNotice(client, page.notice ?? null);
    found.push(...page.chats.map((chat) => ({ chat })));
    after = page.next;
    if (isFirst && after != null) client.setQueryData(key, [...found]);
  } while (after != null && found.length < MOST);
  return found;
}

/** Reads again what a change to chats alters and no event tells: folders, and what is searched for. */
export const readRest = (client: QueryClient): Promise<void> =>
  client.invalidateQueries({
    queryKey: CHATS,
    predicate: ({ queryKey: [, kind, words] }) => kind === "folders" || (kind === "list" && words !== ""),
  });

async function search(words: string, signal: AbortSignal): Promise<Found[]> {
  const { hits } = await unwrap(
    api.GET("/api/ui/chats/search", { params: { query: { q: words, limit: 100 } }, signal }),
  );
  const first = new Map<string, Found>();
  for (const hit of hits) if (!first.has(hit.chat.id)) first.set(hit.chat.id, hit);
  return [...first.values()];
}

/** Returns a chat as the sidebar shows it. */
export function summaryOf({ chat, snippet, message }: Found, folders: readonly Folder[]): ChatSummary {
  const folder = folders.find(({ id }) => id === chat.folder);
  return {
    id: chat.id,
    title: chat.title ?? "",
    folder: folder === undefined ? null : { id: folder.id, name: folder.name },
    pinned: chat.pinned === true,
    archived: chat.archived === true,
    updatedAt: new Date(chat.updated * 1000),
    busy: (chat.running ?? 0) > 0,
    ...(message == null ? {} : { message }),
    ...(snippet === undefined ? {} : { snippet: snippet.map(({ text, hit }) => ({ text, hit: hit === true })) }),
  };
}

export const createFolder = (name: string): Promise<Folder> => unwrap(api.POST("/api/ui/folders", { body: { name } }));

const inFolder = (folder: string) => ({ params: { path: { folder } } });

export const renameFolder = (id: string, name: string): Promise<Folder> =>
  unwrap(api.PUT("/api/ui/folders/{folder}", { ...inFolder(id), body: { name } }));

/** Deletes a folder; its chats stay, in none. */
export const deleteFolder = (id: string): Promise<unknown> =>
  unwrap(api.DELETE("/api/ui/folders/{folder}", inFolder(id)));

const at = (chat: string) => ({ params: { path: { chat } } });

export const restoreChat = (id: string): Promise<Chat> =>
  unwrap(api.POST("/api/ui/chats/{chat}/restore", { ...at(id), body: {} }));

export type ExportFormat = "json" | "markdown";

/** Saves a chat as a file of the browser's. */
export const saveChat = ({ id, title }: Pick<ChatSummary, "id" | "title">, format: ExportFormat): Promise<void> =>
  save(`/api/ui/chats/${encodeURIComponent(id)}/export`, title, format);

export const saveAllChats = (): Promise<void> => save("/api/ui/chats/export", "chats", "json");

async function save(path: string, name: string, format: ExportFormat): Promise<void> {
  const response = await fetchApi(`${path}?format=${format}`);
  saveFile(await response.blob(), `${fileNameOf(name)}.${format === "json" ? "json" : "md"}`);
}

/** Returns a chat's title as every system takes it for a file's name. */
export function fileNameOf(title: string): string {
  const words = title.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60);
  return words.replace(/^-|-$/g, "") || "chat";
}

/** Gives a file to the server as it is: an export of mlxr's, of ChatGPT's or Open WebUI's, or a Markdown text. */
export async function importChats(file: File): Promise<Schemas["ImportReport"]> {
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await fetchApi("/api/ui/chats/import", { method: "POST", body: file, headers });
  return (await response.json()) as Schemas["ImportReport"];
}
