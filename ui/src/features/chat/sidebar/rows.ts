import type { ChatGroup, ChatSummary } from "./groups";

/** A row of the sidebar: a group's heading, or a chat. */
export interface SidebarRow {
  key: string;
  group: ChatGroup;
  /** Undefined for the heading. */
  chat?: ChatSummary;
}

/** Returns the rows of `groups`, each heading before its chats. */
export const rowsOf = (groups: readonly ChatGroup[]): SidebarRow[] =>
  groups.flatMap((group) => [
    { key: group.key, group },
    ...group.chats.map((chat) => ({ key: `${group.key} ${chat.id}`, group, chat })),
  ]);

/** Returns the index of the chat that `key` leads to from the row `at`; -1 where it leads to none. */
export function nextChat(rows: readonly SidebarRow[], at: number, key: string): number {
  const isChat = (row: SidebarRow) => row.chat !== undefined;
  switch (key) {
    case "ArrowDown":
      return rows.findIndex((row, index) => index > at && isChat(row));
    case "ArrowUp":
      return rows.slice(0, Math.max(at, 0)).findLastIndex(isChat);
    case "Home":
      return rows.findIndex(isChat);
    case "End":
      return rows.findLastIndex(isChat);
    default:
      return -1;
  }
}
