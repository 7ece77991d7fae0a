/** A chat as the sidebar lists it. */
export interface ChatSummary {
  id: string;
  title: string;
  folder: { id: string; name: string } | null;
  pinned: boolean;
  archived: boolean;
  updatedAt: Date;
  /** An answer of it is being made. */
  busy: boolean;
  /** Of a search: the words around what was found, those that were searched for marked. */
  snippet?: readonly { text: string; hit: boolean }[];
  /** The message that has them. */
  message?: string;
}

export type Age = "today" | "yesterday" | "week" | "month" | "older";

/** Chats under one heading of the sidebar. */
export interface ChatGroup {
  key: string;
  heading: { kind: "pinned" } | { kind: "folder"; id: string; name: string } | { kind: "age"; age: Age };
  chats: readonly ChatSummary[];
}

const DAY = 86_400_000;

/**
 * Returns `chats` as the sidebar shows them: pinned ones, folders by name, and the rest by when they were last used.
 * Each of `folders` is there, also without a chat.
 */
export function grouped(
  chats: readonly ChatSummary[],
  now: Date,
  folders: readonly { id: string; name: string }[] = [],
): ChatGroup[] {
  const groups = new Map<string, { heading: ChatGroup["heading"]; chats: ChatSummary[] }>();
  for (const { id, name } of folders) {
    const heading = { kind: "folder", id, name } as const;
    groups.set(keyOf(heading), { heading, chats: [] });
  }
  const recent = chats.toSorted((a, b) => b.updatedAt.getTime() - a.updatedAt.getTime());
  for (const chat of recent) {
    const heading = headingOf(chat, now);
    const key = keyOf(heading);
    const group = groups.get(key) ?? { heading, chats: [] };
    group.chats.push(chat);
    groups.set(key, group);
  }
  const place = ({ heading }: { heading: ChatGroup["heading"] }) => ["pinned", "folder", "age"].indexOf(heading.kind);
  return [...groups]
    .map(([key, group]) => ({ key, ...group }))
    .toSorted((a, b) => place(a) - place(b) || (a.heading.kind === "folder" ? a.key.localeCompare(b.key) : 0));
}

function keyOf(heading: ChatGroup["heading"]): string {
  if (heading.kind === "folder") return `folder:${heading.name}:${heading.id}`;
  return heading.kind === "age" ? heading.age : "pinned";
}

function headingOf({ pinned, folder, updatedAt }: ChatSummary, now: Date): ChatGroup["heading"] {
  if (pinned) return { kind: "pinned" };
  if (folder !== null) return { kind: "folder", ...folder };
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const age = midnight - updatedAt.getTime();
  if (age <= 0) return { kind: "age", age: "today" };
  if (age <= DAY) return { kind: "age", age: "yesterday" };
  if (age <= 7 * DAY) return { kind: "age", age: "week" };
  return { kind: "age", age: age <= 30 * DAY ? "month" : "older" };
}
