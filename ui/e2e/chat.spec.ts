import { composer, ended, endedOrStopped, LONG, openChat, send, stopped, thread, turnsOf } from "./harness/chat";
import { expect, test } from "./harness/test";

test("a question is answered, and both are there when the page is loaded again @short", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "What shall we talk about?" })).toBeVisible();
  await send(page, "Say hello in one short sentence.");
  await expect(page).toHaveURL(/\/ui\/chats\//);
  await endedOrStopped(page);
  await expect(thread(page).getByText("Say hello in one short sentence.")).toBeVisible();
  await expect(thread(page).getByText(/tok\/s/)).toBeVisible();
  const answer = await thread(page).locator(".markdown").textContent();
  expect(answer?.trim()).not.toBe("");
  await page.reload();
  await expect(thread(page).locator(".markdown")).toHaveText(answer ?? "");
  await expect(page.getByRole("region", { name: "Chats" }).getByRole("link")).not.toHaveCount(0);
});

test("stopping aborts the answer on the server, too", async ({ page, server }) => {
  const id = await openChat(page, server, { max_tokens: 4000, temperature: 0 });
  await send(page, LONG);
  await expect(thread(page).locator(".markdown")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(thread(page).getByText("Stopped.")).toBeVisible();
  await expect.poll(async () => (await turnsOf(page, server, id)).at(-1)?.state).toBe("stopped");
});

test("an answer made again is a branch, and both can be looked at", async ({ page, server }) => {
  const id = await openChat(page, server, { max_tokens: 12, temperature: 1 });
  await send(page, "Name an animal.");
  await ended(page);
  await page.getByRole("button", { name: "Answer again" }).last().click();
  await expect(thread(page).getByText("2/2")).toBeVisible();
  await ended(page);
  await page.getByRole("button", { name: "Previous branch" }).click();
  await expect(thread(page).getByText("1/2")).toBeVisible();
  const [, first] = await turnsOf(page, server, id);
  await expect(thread(page).locator(".markdown")).toContainText(first?.content[0]?.text.trim().split("\n")[0] ?? "");
});

test("an answer that the person puts right is a branch, which the chat goes on from", async ({ page, server }) => {
  const id = await openChat(page, server, { max_tokens: 8, temperature: 0 });
  await send(page, "Name a river.");
  await ended(page);
  await thread(page).getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Edit the answer" }).click();
  const editor = page.getByRole("textbox", { name: "Edit" });
  await expect(editor).toBeFocused();
  await editor.fill("The Danube,\nof course.");
  await editor.press("Control+Enter");
  await expect(thread(page).getByText("2/2")).toBeVisible();
  await expect(thread(page).locator(".markdown")).toContainText("The Danube");
  await send(page, "Where does it end?");
  await ended(page);
  const turns = await turnsOf(page, server, id);
  expect(turns.map(({ role }) => role)).toEqual(["user", "assistant", "assistant", "user", "assistant"]);
  expect(turns[3]?.parent).toBe(turns[2]?.id);
});

test("an edited question is a branch, and the old one stays", async ({ page, server }) => {
  await openChat(page, server, { max_tokens: 8 });
  await send(page, "Name a colour.");
  await ended(page);
  await thread(page).getByText("Name a colour.").hover();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Edit" }).fill("Name a flower.");
  await page.getByRole("textbox", { name: "Edit" }).press("Enter");
  await expect(thread(page).getByText("Name a flower.")).toBeVisible();
  await expect(thread(page).getByText("Name a colour.")).toHaveCount(0);
  await ended(page);
  await thread(page).getByText("Name a flower.").hover();
  await page.getByRole("button", { name: "Previous branch" }).first().click();
  await expect(thread(page).getByText("Name a colour.")).toBeVisible();
});

test("an answer whose question is edited meanwhile, by the arrow up, is not written on", async ({ page, server }) => {
  const id = await openChat(page, server, { max_tokens: 4000, temperature: 0 });
  await send(page, LONG);
  await expect(thread(page).locator(".markdown")).toBeVisible();
  await expect(page).toHaveTitle(/^● /);
  const editor = page.getByRole("textbox", { name: "Edit" });
  await composer(page).press("ArrowUp");
  await expect(editor).toBeFocused();
  // Escape leaves the message as it is, and the answer alone.
  await editor.press("Escape");
  await expect(composer(page)).toBeFocused();
  expect((await turnsOf(page, server, id)).at(-1)?.state).toBe("streaming");
  await composer(page).press("ArrowUp");
  await editor.fill("Count on and on.");
  await editor.press("Enter");
  await expect(thread(page).getByText("Count on and on.")).toBeVisible();
  await expect
    .poll(async () => (await turnsOf(page, server, id)).find(({ role }) => role === "assistant")?.state)
    .toBe("stopped");
  await stopped(page);
});

test("a cut answer is continued in the same message", async ({ page, server }) => {
  const id = await openChat(page, server, { max_tokens: 6, temperature: 0 });
  await send(page, LONG);
  await expect(thread(page).getByText("The answer was cut")).toBeVisible();
  const before = (await turnsOf(page, server, id)).at(-1)?.content[0]?.text ?? "";
  await page.getByRole("button", { name: "Continue" }).click();
  await expect
    .poll(async () => (await turnsOf(page, server, id)).at(-1)?.content[0]?.text.length ?? 0)
    .toBeGreaterThan(before.length);
  const turns = await turnsOf(page, server, id);
  expect(turns).toHaveLength(2);
  expect(turns.at(-1)?.content[0]?.text.startsWith(before)).toBe(true);
});

test("everything is done by keyboard: a chat, its answer copied, a new chat", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/");
  await expect(composer(page)).toBeFocused();
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("combobox")).toBeFocused();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Shift+Escape");
  await expect(composer(page)).toBeFocused();
  await page.keyboard.type("Say yes.");
  await page.keyboard.press("Enter");
  await expect(thread(page).getByText("Say yes.")).toBeVisible();
  await endedOrStopped(page);
  await page.keyboard.press("Control+Shift+c");
  await expect(page.getByText("The answer is copied.")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).not.toBe("");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("new chat");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/$/);
});

test("on a phone the chats are in a drawer, and a chat fits @phone", async ({ page, server }) => {
  await openChat(page, server, { max_tokens: 20 });
  await composer(page).fill("Say");
  await composer(page).press("End");
  await page.keyboard.press("Enter");
  await page.keyboard.type("hello.");
  await expect(composer(page)).toHaveValue("Say\nhello.");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(thread(page).getByText("hello.").first()).toBeVisible();
  await ended(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await page.getByRole("button", { name: "Open the sidebar" }).click();
  await page.getByRole("dialog").getByRole("link", { name: "New chat" }).click();
  await expect(page.getByRole("heading", { name: "What shall we talk about?" })).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});
