import type { Page } from "@playwright/test";
import { shortChat } from "./harness/chat";
import { expect, test } from "./harness/test";

/** Waits until the server has been told `what` of the chat: what is typed is sent a little later. */
const changed = (page: Page, what: string) =>
  page.waitForResponse((response) => {
    const request = response.request();
    return request.method() === "PATCH" && request.postData()?.includes(what) === true;
  });

test("parameters say their defaults, keep what is changed, and presets bring it to another chat", async ({ page }) => {
  await page.goto("/?panel=parameters");
  const side = page.getByRole("complementary", { name: "Parameters" });
  await expect(side.getByText("Default: until the answer or the context ends")).toBeVisible();
  await side.getByRole("textbox", { name: "Token limit of an answer" }).fill("4");
  await side.getByLabel("Temperature").first().fill("0");
  await side.getByLabel("Name of the preset").fill("Short");
  await side.getByRole("button", { name: "Save as a preset" }).click();
  await expect(page.getByText("Short is saved.")).toBeVisible();
  await page.getByRole("textbox", { name: "Message" }).fill("Tell me a long story");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByText(/cut|limit/i).first()).toBeVisible();

  await page.goto("/?panel=parameters");
  await side.getByLabel("Preset", { exact: true }).selectOption("Short");
  await expect(side.getByRole("textbox", { name: "Token limit of an answer" })).toHaveValue("4");
  await side.getByRole("button", { name: "Set Token limit of an answer back" }).click();
  await expect(side.getByRole("textbox", { name: "Token limit of an answer" })).toHaveValue("");
});

test("an answer is held to a JSON schema", async ({ page, request, server }) => {
  // A model that has tools may call one instead.
  await request.delete("/api/ui/tools/servers/notes");
  await shortChat(page, server, "parameters");
  const side = page.getByRole("complementary", { name: "Parameters" });
  await side.getByLabel("Structured output").selectOption("A JSON schema");
  await side.getByLabel("JSON schema", { exact: true }).fill('{"type": "text"}');
  await expect(side.getByText("There is no type text in JSON schemas.")).toBeVisible();
  const schema = {
    type: "object",
    properties: { ok: { enum: [true] } },
    required: ["ok"],
    additionalProperties: false,
  };
  const saved = changed(page, "[true]"); // the example that is there first has all else, too
  await side.getByLabel("JSON schema", { exact: true }).fill(JSON.stringify(schema));
  await saved;
  await page.getByRole("textbox", { name: "Message" }).fill("Are you well?");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.locator(".markdown").last()).toHaveText(/^\{\s*"ok":\s*true\s*\}$/);
});

test("a token shows how likely it was, under the pointer and by keys", async ({ page, server }) => {
  await shortChat(page, server, "parameters");
  const side = page.getByRole("complementary", { name: "Parameters" });
  const saved = changed(page, "logprobs");
  await side.getByLabel("Token probabilities").click();
  await saved;
  await page.getByRole("textbox", { name: "Message" }).fill("Say hello");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("button", { name: "Token probabilities", exact: true })).toBeVisible();
  const answer = page.locator(".markdown").last();
  await expect(async () => {
    await answer.hover({ position: { x: 40, y: 12 } });
    await answer.hover({ position: { x: 14, y: 10 } });
    await expect(page.getByRole("tooltip").locator("tr").first()).toContainText("%", { timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await page.getByRole("button", { name: "Token probabilities", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Token probabilities" });
  await dialog.getByRole("toolbar").getByRole("button").first().focus();
  await page.keyboard.press("ArrowRight");
  await expect(dialog.locator('[aria-pressed="true"]')).toHaveAttribute("data-token", "1");
  expect(await dialog.locator("tbody tr").count()).toBeGreaterThanOrEqual(5);
});

test("a saved prompt is found behind a slash, asks for its words, and is changed and deleted", async ({ page }) => {
  await page.goto("/");
  const message = page.getByRole("textbox", { name: "Message" });
  await message.fill("/");
  await page.getByRole("option", { name: "Saved prompts…" }).click();
  const library = page.getByRole("dialog", { name: "Saved prompts" });
  await library.getByRole("textbox", { name: "Name" }).fill("translate");
  await library.getByRole("textbox", { name: "Text" }).fill("Translate into {{language}}: {{text}}");
  await library.getByRole("textbox", { name: "Name" }).press("Enter");
  await expect(library.getByText("/translate")).toBeVisible();
  await page.keyboard.press("Escape");
  await message.fill("");
  await message.pressSequentially("/tra");
  await expect(page.getByRole("option", { name: /^\/translate/ })).toHaveAttribute("aria-selected", "true");
  await message.press("Enter");
  const words = page.getByRole("dialog", { name: /translate/ });
  await words.getByRole("textbox", { name: "language" }).fill("Welsh");
  await words.getByRole("textbox", { name: "text" }).fill("Good morning");
  await words.getByRole("textbox", { name: "text" }).press("Enter");
  await expect(message).toHaveValue("Translate into Welsh: Good morning");
  await expect(message).toBeFocused();
  await page.getByRole("button", { name: "Options of the chat" }).click();
  await page.getByRole("menuitem", { name: "Saved prompts" }).click();
  await library.getByRole("button", { name: "Delete “translate”" }).click();
  await expect(library.getByText("No prompt is saved yet.")).toBeVisible();
});
