import { composer } from "../e2e/harness/chat";
import { expect, test } from "../e2e/harness/test";
import { PATIENT, picture, post } from "./picture";

/** Texts of several lengths. */
const PROMPTS = {
  proofread: "Correct spelling and grammar, and change nothing else: {{text}}",
  "sum-up": "Sum this up in three sentences, then name what it leaves open: {{text}}",
  translate: "Translate into {{language}}, keep the tone, and explain idioms in brackets: {{text}}",
};

test.beforeAll(async ({ server }) => {
  for (const [name, text] of Object.entries(PROMPTS)) await post(server, "/api/ui/prompts", { name, text });
});

picture("chat-temporary", async ({ page }) => {
  await page.goto("/?temporary=yes");
  await expect(page.getByRole("note")).toBeVisible(PATIENT);
});

picture("prompts-menu", async ({ page }) => {
  await page.goto("/");
  await composer(page).fill("/");
  await expect(page.getByRole("option")).toHaveCount(4, PATIENT);
});

picture("prompts-fill", async ({ page }) => {
  await page.goto("/");
  await composer(page).fill("/tra");
  await page.getByRole("option", { name: /translate/ }).click(PATIENT);
  await page.getByRole("textbox", { name: "language" }).fill("Welsh");
});

picture("prompts", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Options of the chat" }).click(PATIENT);
  await page.getByRole("menuitem", { name: "Saved prompts" }).click();
  await page.getByRole("button", { name: "Change “sum-up”" }).click(PATIENT);
});
