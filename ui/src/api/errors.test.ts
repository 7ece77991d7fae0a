import { expect, test, vi } from "vitest";
import { setPreferences } from "@/app/preferences";
import { fetchApi } from "./client";

test("what the server says is passed on as it is, and in another language within a word on whose it is", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ error: { message: "there is no model x" } }, { status: 404 }));
  await expect(fetchApi("/x")).rejects.toThrow(/^there is no model x$/);
  setPreferences({ language: "de" });
  await expect(fetchApi("/x")).rejects.toThrow("Der Server sagt: „there is no model x“");
  vi.unstubAllGlobals();
});

test("what the page notices itself is told in the language of the reader", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await expect(fetchApi("/x")).rejects.toThrow("The server can't be reached. Is it running?");
  setPreferences({ language: "de" });
  await expect(fetchApi("/x")).rejects.toThrow("Der Server ist nicht zu erreichen. Läuft er?");
  vi.unstubAllGlobals();
});
