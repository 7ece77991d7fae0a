/** What of a chat's page is in its URL, and so is worth a link. */
export interface ChatSearch {
  /** Which panel is open at the right of the chat. */
  panel?: string;
  /** The model that answers beside the chat's. */
  second?: string;
  /** The message of whose answers one was chosen to go on with. */
  chosen?: string;
  /** "yes": the chat that is about to begin will not be kept. */
  temporary?: string;
  /** Of two answers side by side, the one whose side stays while the other shows another. */
  beside?: string;
  /** The message to begin with, as one that was searched for; the end where there is none. */
  message?: string;
}

const NAMES = ["panel", "second", "chosen", "beside", "message", "temporary"] as const;

/** Returns what of `given` a chat's page knows. */
export const validateSearch = (given: Record<string, unknown>): ChatSearch =>
  Object.fromEntries(NAMES.flatMap((name) => (typeof given[name] === "string" ? [[name, given[name]]] : [])));

/** Returns the search with `change`; what is undefined there is left out. */
export const withSearch = (now: ChatSearch, change: { [Name in keyof ChatSearch]?: string | undefined }): ChatSearch =>
  validateSearch({ ...now, ...change });
