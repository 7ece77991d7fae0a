import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { MODELS, type Server } from "../e2e/harness/server";
import { expect, test } from "../e2e/harness/test";
import { exported } from "./content";
import { chatWith, PATIENT, picture, post, send } from "./picture";
import { thinker } from "./thinker";

test.use({ models: ["smollm2", "gemma3"] });

/** Puts chats into the server, a model that reasons, and one that another tool keeps. */
test.beforeAll(async ({ server }) => {
  await fetch(`${server.url}/api/ui/chats/import`, { method: "POST", body: exported() });
  await post(server, "/api/create", thinker("thinker"));
  const store = join(server.home, ".lmstudio/models/google/gemma-3-270m-it-GGUF");
  mkdirSync(store, { recursive: true });
  copyFileSync(MODELS.gemma3, join(store, "gemma-3-270m-it-Q4_K_M.gguf"));
});

picture("chat-reasoning", async ({ page, server }) => {
  const chat = await chatWith(server, "thinker");
  await send(server, chat, "Is the moon larger than the Earth?");
  await page.goto(`/ui/chats/${chat}`);
  await expect(page.getByRole("button", { name: "Answer again" })).toBeVisible(PATIENT);
  await page.getByRole("button", { name: /^Thought/ }).click();
});

picture("chat-approval", async ({ page, server }) => {
  const chat = await chatWith(server, "smollm2", { max_tokens: 64, temperature: 0 });
  const url = { type: "object", properties: { url: { enum: ["https://example.org/tides"] } }, required: ["url"] };
  await send(server, chat, "When is high tide today?", {
    tools: [{ name: "fetch_page", description: "Reads a web page", parameters: url }],
    tool_choice: "fetch_page",
  });
  await page.goto(`/ui/chats/${chat}`);
  await expect(page.getByRole("button", { name: "Run once" })).toBeVisible(PATIENT);
});

picture("selector", async ({ page, server }) => {
  await library(page, server, null);
  await openSelector(page, server);
  await expect(page.getByText(/^(Fits|Does not fit):/).first()).toBeVisible(PATIENT);
});

picture("selector-loading", async ({ page, server }) => {
  await library(page, server, { state: "loading", stage: "reading the weights", progress: 0.4 });
  await openSelector(page, server);
  await expect(page.getByRole("progressbar", { name: "Loading: gemma3" })).toBeVisible(PATIENT);
});

picture("model-convert", async ({ page }) => {
  await page.goto("/ui/models");
  await page.getByRole("button", { name: "More for smollm2", exact: true }).click();
  await page.getByRole("menuitem", { name: "Convert or quantize…" }).click();
  await expect(page.getByRole("radio", { name: /Q4_K_M/ })).toBeChecked(PATIENT);
  await page.getByRole("switch", { name: "Quantize what is quantized already" }).click();
});

picture("model-import", async ({ page }) => {
  await page.goto("/ui/models");
  await page.getByRole("button", { name: "Import" }).click();
  await page.getByRole("checkbox").first().click(PATIENT);
});

/** Has the library say where Gemma is, and nothing of it change: a small model's load is over before a picture is
 * taken, and it stays loaded as long as it likes. */
async function library(page: Page, server: Server, loaded: object | null): Promise<void> {
  const now = (await (await fetch(`${server.url}/api/ui/models`)).json()) as { models: { name: string }[] };
  const models = now.models.map((model) => (model.name === "gemma3" ? { ...model, loaded } : model));
  await page.route("**/api/ui/models", (route) => route.fulfill({ json: { ...now, models } }));
  // What would change it never comes.
  await page.route("**/api/ui/models/events", () => {});
}

/** Opens the choice of models of a chat that is new. */
async function openSelector(page: Page, server: Server): Promise<void> {
  await page.goto(`/ui/chats/${await chatWith(server, "thinker")}`);
  await page
    .locator("header")
    .getByRole("button", { name: /thinker/ })
    .click();
  await expect(page.getByRole("dialog", { name: "Models" })).toBeVisible(PATIENT);
}
