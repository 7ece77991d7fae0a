import { expect, test, vi } from "vitest";
import { setPreferences } from "@/app/preferences";
import { fetchApi } from "./client";

test("what the server says is told in the reader's language, and quoted where that does not have it", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ error: { message: "there is no job 'x'" } }, { status: 404 }));
  await expect(fetchApi("/x")).rejects.toThrow(/^there is no job 'x'$/);
  setPreferences({ language: "de" });
  await expect(fetchApi("/x")).rejects.toThrow("Es gibt keine Arbeit 'x'");
  vi.stubGlobal("fetch", async () => Response.json({ error: "xyzzy plugh" }, { status: 404 }));
  await expect(fetchApi("/x")).rejects.toThrow("Der Server sagt: „xyzzy plugh“");
  vi.unstubAllGlobals();
});

test("what the page notices itself is told in the language of the reader", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await expect(fetchApi("/x")).rejects.toThrow("The server can't be reached. Is it running?");
  setPreferences({ language: "de" });
  await expect(fetchApi("/x")).rejects.toThrow("Der Server ist nicht zu erreichen. Läuft er?");
  vi.unstubAllGlobals();
});
