import { connectionError, errorOf } from "./errors";

const KEY = "mlxr.key";
const WANTED = "mlxr:key-wanted";
const GIVEN = "mlxr:key-given";

/** The API key that this browser keeps. It goes into the Authorization header, and nowhere else. */
export const readKey = (): string | null => localStorage.getItem(KEY);

export function setKey(key: string | null): void {
  if (key === null || key === "") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, key);
  window.dispatchEvent(new Event(GIVEN));
}

/** Tells the page that the server refused the key, or wants one. */
export const keyRefused = (): void => void window.dispatchEvent(new Event(WANTED));

export function onKeyWanted(wanted: () => void): () => void {
  window.addEventListener(WANTED, wanted);
  return () => window.removeEventListener(WANTED, wanted);
}

export function onKeyGiven(given: () => void): () => void {
  window.addEventListener(GIVEN, given);
  return () => window.removeEventListener(GIVEN, given);
}

export function authorization(): Record<string, string> {
  const key = readKey();
  return key === null ? {} : { Authorization: `Bearer ${key}` };
}

/**
 * Asks the server what it says to `key`: it takes it, asks for none at all (`open`), refuses it, or asks for one where
 * there is none. Nothing is kept, and nobody else hears of it. Throws an `ApiError` where the server can't tell.
 */
export async function tryKey(key: string | null): Promise<"taken" | "open" | "refused" | "missing"> {
  const ask = (headers: Record<string, string>) =>
    globalThis.fetch("/api/ui/settings", { headers, cache: "no-store" }).catch(() => {
      throw connectionError("unreachable");
    });
  const open = await ask({});
  if (open.ok) return "open";
  if (open.status !== 401) throw await errorOf(open);
  if (key === null) return "missing";
  const answer = await ask({ Authorization: `Bearer ${key}` });
  if (answer.status !== 401 && !answer.ok) throw await errorOf(answer);
  return answer.ok ? "taken" : "refused";
}
