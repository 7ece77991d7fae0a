import { copyFileSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Page, Route } from "@playwright/test";
import { MODELS, type Server } from "../e2e/harness/server";
import { expect, test } from "../e2e/harness/test";
import { exported } from "./content";
import { thinker } from "./thinker";

const OUT = join(resolve(import.meta.dirname, "../.."), "build/screenshots");
/** What computes takes its time where others compute, too. */
const PATIENT = { timeout: 120_000 };

const post = (server: Server, path: string, body: object): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

async function chatWith(server: Server, model: string, parameters: object = {}): Promise<string> {
  const made = await post(server, "/api/ui/chats", { model, parameters });
  return ((await made.json()) as { id: string }).id;
}

const send = (server: Server, chat: string, text: string, answer: object = {}) =>
  post(server, `/api/ui/chats/${chat}/messages`, { content: [{ type: "text", text }], answers: [answer] });

test.use({ models: ["smollm2", "gemma3"] });

/** Puts chats into the server, a model that reasons, and one that another tool keeps. */
test.beforeAll(async ({ server }) => {
  await fetch(`${server.url}/api/ui/chats/import`, { method: "POST", body: exported() });
  await post(server, "/api/create", thinker("thinker"));
  const store = join(server.home, ".lmstudio/models/google/gemma-3-270m-it-GGUF");
  mkdirSync(store, { recursive: true });
  copyFileSync(MODELS.gemma3, join(store, "gemma-3-270m-it-Q4_K_M.gguf"));
});

for (const theme of ["light", "dark"] as const)
  test(`what comes and goes, ${theme}`, async ({ page, server }, { project }) => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    const take = (name: string) => page.screenshot({ path: join(OUT, `${name}-${project.name}-${theme}.png`) });

    const reasoned = await chatWith(server, "thinker");
    await send(server, reasoned, "Is the moon larger than the Earth?");
    await page.goto(`/ui/chats/${reasoned}`);
    await page.getByRole("button", { name: /^Thought for/ }).click(PATIENT);
    await expect(page.getByRole("button", { name: "Answer again" })).toBeVisible(PATIENT);
    await take("chat-reasoning");

    const calling = await chatWith(server, "smollm2", { max_tokens: 64, temperature: 0 });
    const url = { type: "object", properties: { url: { enum: ["https://example.org/tides"] } }, required: ["url"] };
    await send(server, calling, "When is high tide today?", {
      tools: [{ name: "fetch_page", description: "Reads a web page", parameters: url }],
      tool_choice: "fetch_page",
    });
    await page.goto(`/ui/chats/${calling}`);
    await expect(page.getByRole("button", { name: "Run once" })).toBeVisible(PATIENT);
    await take("chat-approval");

    await post(server, "/api/ui/models/unload", { model: "gemma3" });
    await page.goto(`/ui/chats/${reasoned}`);
    await page
      .locator("header")
      .getByRole("button", { name: /thinker/ })
      .click();
    await expect(page.getByRole("dialog", { name: "Models" }).getByText(/^Fits/).first()).toBeVisible(PATIENT);
    await take("selector");
    await page.route("**/api/ui/models", halfLoaded);
    await page.reload();
    await page
      .locator("header")
      .getByRole("button", { name: /thinker/ })
      .click();
    await expect(page.getByRole("progressbar", { name: "Loading: gemma3" })).toBeVisible(PATIENT);
    await take("selector-loading");
    await page.unroute("**/api/ui/models");

    await page.goto("/ui/models");
    await menuItem(page, "Convert or quantize…");
    await expect(page.getByRole("radio", { name: /Q4_K_M/ })).toBeChecked(PATIENT);
    await page.getByRole("switch", { name: "Quantize what is quantized already" }).click();
    await take("model-convert");

    await page.goto("/ui/models");
    await page.getByRole("button", { name: "Import" }).click();
    await page.getByRole("checkbox").first().click(PATIENT);
    await take("model-import");
  });

/** The other language, of which each word is as long as it likes. */
test("in German", async ({ page, server }, { project }) => {
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.addInitScript(() => localStorage.setItem("mlxr.preferences", JSON.stringify({ language: "de" })));
  const chat = await chatWith(server, "smollm2", { max_tokens: 40, temperature: 0 });
  await send(server, chat, "Say hello in one short sentence.");
  const pages = {
    "new-chat": "/",
    chat: `/ui/chats/${chat}?panel=parameters`,
    models: "/ui/models",
    "model-pull": `/ui/models?pull=${encodeURIComponent(MODELS.gemma3)}`,
    playground: "/ui/playground?tool=structured",
    metrics: "/ui/metrics",
    requests: "/ui/requests",
    settings: "/ui/settings",
  };
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(path);
    await expect(page.locator(".animate-pulse")).toHaveCount(0, PATIENT);
    await page.waitForTimeout(1000);
    await page.screenshot({ path: join(OUT, `german-${name}-${project.name}-light.png`) });
  }
});

/** Has the library say that Gemma is just being loaded: a small model's load is over before a picture is taken. */
async function halfLoaded(route: Route): Promise<void> {
  const response = await route.fetch();
  const library = (await response.json()) as { models: { name: string; loaded: object | null }[] };
  for (const model of library.models)
    if (model.name === "gemma3") model.loaded = { state: "loading", stage: "reading the weights", progress: 0.4 };
  await route.fulfill({ response, json: library });
}

async function menuItem(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "More for smollm2", exact: true }).click();
  await page.getByRole("menuitem", { name }).click();
}
