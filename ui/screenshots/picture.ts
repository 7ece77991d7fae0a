import { join, resolve } from "node:path";
import type { Page } from "@playwright/test";
import type { Server } from "../e2e/harness/server";
import { expect, test } from "../e2e/harness/test";

export const ROOT = resolve(import.meta.dirname, "../..");
const OUT = join(ROOT, "build/screenshots");
const THEMES = ["light", "dark"] as const;

/** What computes takes its time where others compute, too. */
export const PATIENT = { timeout: 120_000 };

/** So long nothing changes in a page that is ready; what never stays the same is taken after the longer time. In ms. */
const QUIET = { quiet: 500, most: 10_000 };

interface Scene {
  page: Page;
  server: Server;
  isPhone: boolean;
}

/** What a picture is called; another name by project where it shows something else. */
type Name = string | { desktop: string; phone: string };

const nameOn = (name: Name, isPhone: boolean): string =>
  typeof name === "string" ? name : isPhone ? name.phone : name.desktop;

/** Takes the picture `name` of what `prepare` shows, in each of `themes`. Each is a test of its own: one that fails
 * keeps none of the others from being taken. */
export function picture(
  name: Name,
  prepare: (scene: Scene) => Promise<void>,
  themes: readonly (typeof THEMES)[number][] = THEMES,
): void {
  for (const theme of themes)
    test(`${nameOn(name, false)}, ${theme}`, async ({ page, server }, { project }) => {
      const isPhone = project.name === "phone";
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await prepare({ page, server, isPhone });
      await settled(page);
      await page.screenshot({ path: join(OUT, `${nameOn(name, isPhone)}-${project.name}-${theme}.png`) });
    });
}

/** Waits until everything has come that a page loads, however long that takes. */
async function settled(page: Page): Promise<void> {
  await expect(page.locator("#content")).not.toBeEmpty(PATIENT);
  const comes = page.locator(".animate-pulse");
  await expect(comes).toHaveCount(0, PATIENT);
  await page.evaluate(async ({ quiet, most }) => {
    await document.fonts.ready;
    await new Promise<void>((done) => {
      let calm = setTimeout(done, quiet);
      setTimeout(done, most);
      new MutationObserver(() => {
        clearTimeout(calm);
        calm = setTimeout(done, quiet);
      }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    });
  }, QUIET);
  await expect(comes).toHaveCount(0, PATIENT);
}

/** Asks the server by POST. Throws what it refuses. */
export async function post(server: Server, path: string, body: object): Promise<unknown> {
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Makes a chat with `model` and returns its id. */
export async function chatWith(server: Server, model: string, parameters: object = {}): Promise<string> {
  return ((await post(server, "/api/ui/chats", { model, parameters })) as { id: string }).id;
}

/** Sends a message, of which the answer comes by itself. */
export const send = (server: Server, chat: string, text: string, answer: object = {}): Promise<unknown> =>
  post(server, `/api/ui/chats/${chat}/messages`, { content: [{ type: "text", text }], answers: [answer] });
