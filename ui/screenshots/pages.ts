import { join } from "node:path";
import type { Page } from "@playwright/test";
import { MODELS, Server } from "../e2e/harness/server";
import { expect, test } from "../e2e/harness/test";
import { exported } from "./content";
import { PATIENT, picture, post, ROOT } from "./picture";

const PAGES = {
  "new-chat": "/",
  models: "/ui/models",
  "playground-tokenizer": "/ui/playground?tool=tokenizer",
  metrics: "/ui/metrics",
  requests: "/ui/requests",
  logs: "/ui/logs",
  settings: "/ui/settings",
  "model-details": "/ui/models?model=smollm2",
  "no-such-page": "/ui/no-such-page",
};
const LOAD = 3;

/** Puts chats, a second model and some load into the server. */
test.beforeAll(async ({ server }) => {
  server.run("pull", join(ROOT, ".cache/models/minilm"));
  await fetch(`${server.url}/api/ui/chats/import`, { method: "POST", body: exported() });
  const body = { model: "smollm2", prompt: "Once upon a time", max_tokens: 48, temperature: 0 };
  for (let round = 0; round < LOAD; round += 1)
    await Promise.all([1, 2].map(() => post(server, "/v1/completions", body)));
});

for (const [name, path] of Object.entries(PAGES)) picture(name, async ({ page }) => void (await page.goto(path)));

for (const tool of ["completion", "structured", "embeddings", "rerank"])
  picture(`playground-${tool}`, async ({ page }) => {
    await page.goto(`/ui/playground?tool=${tool}`);
    await run(page);
  });

for (const [name, search] of [
  ["chat", ""],
  ["chat-parameters", "?panel=parameters"],
  ["chat-tools", "?panel=tools"],
] as const)
  picture(name, async ({ page, server }) => {
    const { chats } = await from<{ chats: { id: string; title: string }[] }>(server, "/api/ui/chats");
    const chat = chats.find(({ title }) => title.includes("Newton"));
    expect(chat, "the import left no chat").toBeDefined();
    await page.goto(`/ui/chats/${chat?.id}${search}`);
    await expect(page.getByText("Each step")).toBeAttached(PATIENT);
  });

picture("model-pull", async ({ page }) => {
  await page.goto(`/ui/models?pull=${encodeURIComponent(MODELS.gemma3)}`);
  await page.getByRole("button", { name: "Check" }).click();
  await expect(page.getByText(/tokens a second/)).toBeVisible(PATIENT);
});

picture("request-details", async ({ page, server }) => {
  const { requests } = await from<{ requests: { id: number }[] }>(server, "/api/ui/requests");
  await page.goto(`/ui/requests?id=${requests.at(-1)?.id}`);
});

picture({ desktop: "commands", phone: "sidebar" }, async ({ page, isPhone }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible(PATIENT);
  if (isPhone) await page.getByRole("button", { name: "Open the sidebar" }).click();
  else await page.keyboard.press("Control+k");
  await expect(page.getByRole("dialog")).toBeVisible(PATIENT);
});

/** Pages of a server that has no models and no chats yet. */
test.describe("a server with nothing", () => {
  let empty: Server | undefined;
  test.beforeAll(async () => {
    empty = await Server.start();
    const body = JSON.stringify({ model: "smollm2" });
    const headers = { "Content-Type": "application/json" };
    await fetch(`${empty.url}/api/delete`, { method: "DELETE", body, headers });
  });
  test.afterAll(() => empty?.close());

  for (const path of ["", "ui/models", "ui/playground", "ui/requests", "ui/metrics"])
    picture(`empty-${path.slice(3) || "chat"}`, async ({ page }) => void (await page.goto(`${empty?.url}/${path}`)), [
      "light",
    ]);
});

const from = async <T>(server: Server, path: string): Promise<T> =>
  (await (await fetch(`${server.url}${path}`)).json()) as T;

/** Has a tool of the playground do what it does. */
async function run(page: Page): Promise<void> {
  const begin = page.getByRole("button", { name: "Run" });
  await begin.click(PATIENT);
  await expect(begin).toBeVisible(PATIENT);
}
