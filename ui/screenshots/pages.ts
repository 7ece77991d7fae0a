import { join, resolve } from "node:path";
import type { Page } from "@playwright/test";
import { MODELS, Server } from "../e2e/harness/server";
import { expect, test } from "../e2e/harness/test";
import { exported } from "./content";

const ROOT = resolve(import.meta.dirname, "../..");
const OUT = join(ROOT, "build/screenshots");
const PAGES = {
  "new-chat": "/",
  models: "/ui/models",
  "playground-completion": "/ui/playground",
  "playground-structured": "/ui/playground?tool=structured",
  "playground-embeddings": "/ui/playground?tool=embeddings",
  "playground-rerank": "/ui/playground?tool=rerank",
  "playground-tokenizer": "/ui/playground?tool=tokenizer",
  metrics: "/ui/metrics",
  requests: "/ui/requests",
  logs: "/ui/logs",
  settings: "/ui/settings",
};
const LOAD = 3;

/** Puts chats, a second model and some load into the server. */
test.beforeAll(async ({ server }) => {
  server.run("pull", join(ROOT, ".cache/models/minilm"));
  await fetch(`${server.url}/api/ui/chats/import`, { method: "POST", body: exported() });
  const body = JSON.stringify({ model: "smollm2", prompt: "Once upon a time", max_tokens: 48, temperature: 0 });
  const headers = { "Content-Type": "application/json" };
  for (let round = 0; round < LOAD; round += 1)
    await Promise.all([1, 2].map(() => fetch(`${server.url}/v1/completions`, { method: "POST", headers, body })));
});

for (const theme of ["light", "dark"] as const)
  test(`every page, ${theme}`, async ({ page, server }, { project }) => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    const take = (name: string) => page.screenshot({ path: join(OUT, `${name}-${project.name}-${theme}.png`) });
    for (const [name, path] of Object.entries(PAGES)) {
      await page.goto(path);
      await expect(page.locator(".animate-pulse")).toHaveCount(0);
      if (name.startsWith("playground")) await run(page);
      await page.waitForTimeout(1500);
      await take(name);
    }
    const { chats } = (await (await fetch(`${server.url}/api/ui/chats`)).json()) as {
      chats: { id: string; title: string }[];
    };
    const chat = chats.find(({ title }) => title.includes("Newton"));
    expect(chat, "the import left no chat").toBeDefined();
    await page.goto(`/ui/chats/${chat?.id}`);
    await expect(page.getByText("Each step")).toBeVisible();
    await page.waitForTimeout(1000);
    await take("chat");
    const { requests } = (await (await fetch(`${server.url}/api/ui/requests`)).json()) as {
      requests: { id: number }[];
    };
    const openings = {
      "chat-parameters": `/ui/chats/${chat?.id}?panel=parameters`,
      "chat-tools": `/ui/chats/${chat?.id}?panel=tools`,
      "model-details": "/ui/models?model=smollm2",
      "model-pull": `/ui/models?pull=${encodeURIComponent(MODELS.gemma3)}`,
      "request-details": `/ui/requests?id=${requests.at(-1)?.id}`,
      "no-such-page": "/ui/no-such-page",
    };
    for (const [name, path] of Object.entries(openings)) {
      await page.goto(path);
      await expect(page.locator(".animate-pulse")).toHaveCount(0);
      if (name === "model-pull") {
        await page.getByRole("button", { name: "Check" }).click();
        await expect(page.getByText(/tokens a second/)).toBeVisible({ timeout: 80_000 });
      }
      await page.waitForTimeout(700);
      await take(name);
    }
    await page.goto("/");
    if (project.name === "phone") await page.getByRole("button", { name: "Open the sidebar" }).click();
    else await page.keyboard.press("Control+k");
    await expect(page.getByRole("dialog")).toBeVisible();
    await page.waitForTimeout(700);
    await take(project.name === "phone" ? "sidebar" : "commands");
  });

/** Pages of a server that has no models and no chats yet. */
test("empty pages", async ({ page }, { project }) => {
  const server = await Server.start();
  try {
    const body = JSON.stringify({ model: "smollm2" });
    const headers = { "Content-Type": "application/json" };
    await fetch(`${server.url}/api/delete`, { method: "DELETE", body, headers });
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
    for (const name of ["", "ui/models", "ui/playground", "ui/requests", "ui/metrics"]) {
      await page.goto(`${server.url}/${name}`);
      await expect(page.locator(".animate-pulse")).toHaveCount(0);
      await page.waitForTimeout(1000);
      await page.screenshot({ path: join(OUT, `empty-${name.slice(3) || "chat"}-${project.name}-light.png`) });
    }
  } finally {
    await server.close();
  }
});

/** Has a tool of the playground do what it does, where it waits to be told. */
async function run(page: Page): Promise<void> {
  const begin = page.getByRole("button", { name: "Run" });
  if ((await begin.count()) === 0) return;
  await begin.click();
  await expect(begin).toBeVisible({ timeout: 90_000 });
}
