import { MODELS } from "../e2e/harness/server";
import { test } from "../e2e/harness/test";
import { chatWith, picture, send } from "./picture";

/** Pages in the other language, of which each word is as long as it likes. */
const PAGES: Record<string, (chat: string) => string> = {
  "new-chat": () => "/",
  chat: (chat) => `/ui/chats/${chat}?panel=parameters`,
  models: () => "/ui/models",
  "model-pull": () => `/ui/models?pull=${encodeURIComponent(MODELS.gemma3)}`,
  playground: () => "/ui/playground?tool=structured",
  metrics: () => "/ui/metrics",
  requests: () => "/ui/requests",
  settings: () => "/ui/settings",
};

let chat: string;

test.beforeAll(async ({ server }) => {
  chat = await chatWith(server, "smollm2", { max_tokens: 40, temperature: 0 });
  await send(server, chat, "Say hello in one short sentence.");
});

for (const [name, path] of Object.entries(PAGES))
  picture(
    `german-${name}`,
    async ({ page }) => {
      await page.addInitScript(() => localStorage.setItem("mlxr.preferences", JSON.stringify({ language: "de" })));
      await page.goto(path(chat));
    },
    ["light"],
  );
