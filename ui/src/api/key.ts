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
