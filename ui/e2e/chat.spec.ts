import type { Page } from "@playwright/test";
import type { Server } from "./harness/server";
import { expect, test } from "./harness/test";

const composer = (page: Page) => page.getByRole("textbox", { name: "Message" });
const thread = (page: Page) => page.getByRole("region", { name: "Conversation" });
const stopButton = (page: Page) => page.getByRole("button", { name: "Stop" });

/** A prompt that SmolLM2 answers at length, and at temperature 0 without an end. */
const LONG = "Count from one to two hundred, each number as a word on a line of its own.";

async function send(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press("Enter");
  // The answer is there as soon as the question is.
  await expect(thread(page).getByText(text).last()).toBeVisible();
}

async function ended(page: Page): Promise<void> {
  await expect(stopButton(page)).toHaveCount(0, { timeout: 60_000 });
}

/** Waits for an answer of no set length, and stops one that goes on: a model this small may write its context full. */
async function endedOrStopped(page: Page): Promise<void> {
  await expect(thread(page).locator(".markdown")).toBeVisible();
  await expect(stopButton(page))
    .toHaveCount(0, { timeout: 15_000 })
    .catch(() => stopButton(page).click());
  await ended(page);
}

/** Makes a chat by the API, so that a test can say how it answers, and opens it. */
async function openChat(page: Page, server: Server, parameters: Record<string, unknown>): Promise<string> {
  const response = await page.request.post(`${server.url}/api/ui/chats`, { data: { model: "smollm2", parameters } });
  expect(response.ok()).toBe(true);
  const { id } = (await response.json()) as { id: string };
  await page.goto(`/ui/chats/${id}`);
  await expect(composer(page)).toBeVisible();
  return id;
}

interface Turn {
  id: string;
  parent: string | null;
  role: string;
  state: string;
  content: { text: string }[];
}

async function turnsOf(page: Page, server: Server, id: string): Promise<Turn[]> {
  const response = await page.request.get(`${server.url}/api/ui/chats/${id}`);
  return ((await response.json()) as { messages: Turn[] }).messages;
}

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

test("an answer whose question is edited meanwhile is not written on", async ({ page, server }) => {
  const id = await openChat(page, server, { max_tokens: 4000, temperature: 0 });
  await send(page, LONG);
  await expect(thread(page).locator(".markdown")).toBeVisible();
  await thread(page).getByText(LONG).hover();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByRole("textbox", { name: "Edit" }).fill("Count on and on.");
  await page.getByRole("textbox", { name: "Edit" }).press("Enter");
  await expect(thread(page).getByText("Count on and on.")).toBeVisible();
  expect((await turnsOf(page, server, id)).find(({ role }) => role === "assistant")?.state).toBe("stopped");
  await page.getByRole("button", { name: "Stop" }).click();
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

test("two tabs follow one answer, and a closed one finds it whole", async ({ page, context, server }) => {
  const id = await openChat(page, server, { max_tokens: 120, temperature: 0 });
  const other = await context.newPage();
  await other.goto(`/ui/chats/${id}`);
  await expect(composer(other)).toBeVisible();
  await send(page, LONG);
  await expect(thread(other).getByText(LONG)).toBeVisible();
  await expect(thread(other).locator(".markdown")).toBeVisible();
  await page.close();
  await ended(other);
  const text = await thread(other).locator(".markdown").textContent();
  await other.reload();
  await expect(thread(other).locator(".markdown")).toHaveText(text ?? "");
});

test("four tabs are open, each with a chat, and each has its question answered", async ({ page, context, server }) => {
  const tabs = [page, ...(await Promise.all([1, 2, 3].map(() => context.newPage())))];
  for (const tab of tabs) await openChat(tab, server, { max_tokens: 4 });
  for (const tab of tabs) await send(tab, "Say yes.");
  for (const tab of tabs) await ended(tab);
});

test("an answer goes on when the executor is killed", async ({ page, server }) => {
  const id = await openChat(page, server, { max_tokens: 150, temperature: 0 });
  await send(page, LONG);
  await expect(thread(page).locator(".markdown")).toBeVisible();
  server.killExecutor();
  await ended(page);
  const turn = (await turnsOf(page, server, id)).at(-1);
  expect(["done", "cut"]).toContain(turn?.state);
  await expect(thread(page).locator(".markdown").last()).toContainText(
    turn?.content[0]?.text.trim().split("\n").at(-1) ?? "",
  );
});

test("a draft stays with its chat", async ({ page, server }) => {
  const first = await openChat(page, server, {});
  await composer(page).fill("not sent yet");
  await openChat(page, server, {});
  await expect(composer(page)).toHaveValue("");
  await page.goto(`/ui/chats/${first}`);
  await expect(composer(page)).toHaveValue("not sent yet");
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

test("a chat is renamed, pinned, and deleted with a way back", async ({ page, server }) => {
  await openChat(page, server, { max_tokens: 4 });
  await send(page, "Hi.");
  await ended(page);
  await page.getByRole("textbox", { name: "Title of the chat" }).fill("My chat");
  await page.keyboard.press("Enter");
  const list = page.getByRole("region", { name: "Chats" });
  const menu = list.getByRole("button", { name: "What to do with “My chat”" });
  await list.getByRole("link", { name: "My chat" }).hover();
  await menu.click();
  await page.getByRole("menuitem", { name: "Pin" }).click();
  await expect(list.getByRole("region", { name: "Pinned" }).getByRole("link", { name: "My chat" })).toBeVisible();
  await list.getByRole("link", { name: "My chat" }).hover();
  await menu.click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(list.getByRole("link", { name: "My chat" })).toHaveCount(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(list.getByRole("link", { name: "My chat" })).toBeVisible();
});

test("what is searched for is shown where it is, in a long chat and in another branch, and sending leads to the end", async ({
  page,
}) => {
  const time = Math.floor(Date.now() / 1000);
  const messages: Record<string, object> = {};
  const add = (id: string, parentId: string | null, role: string, content: string) => {
    messages[id] = { id, parentId, childrenIds: [], role, content, model: "smollm2", timestamp: time };
  };
  add("q0", null, "user", "A question on marmalade");
  add("other", "q0", "assistant", "Another answer, on quinces");
  for (let turn = 0; turn < 40; turn += 1) {
    add(`a${turn}`, `q${turn}`, "assistant", `Answer ${turn}: ${"and so on, ".repeat(25)}`);
    add(`q${turn + 1}`, `a${turn}`, "user", turn === 9 ? "Where do pangolins sleep?" : `Question ${turn + 1}`);
  }
  add("end", "q40", "assistant", "The last words");
  const history = { messages, currentId: "end" };
  const exported = [{ id: "long", title: "Long chat", chat: { title: "Long chat", models: ["smollm2"], history } }];
  await page.request.post("/api/ui/chats/import", { data: JSON.stringify(exported) });
  await page.goto("/");
  const list = page.getByRole("region", { name: "Chats" });
  const find = async (words: string) => {
    await list.getByRole("searchbox", { name: "Search chats" }).fill(words);
    await list
      .getByRole("link", { name: /Long chat/ })
      .filter({ hasText: words })
      .click();
  };
  await find("pangolins");
  await expect(thread(page).getByText("Where do pangolins sleep?")).toBeInViewport();
  await find("quinces");
  await expect(thread(page).getByText("Another answer, on quinces")).toBeInViewport();
  await expect(thread(page).getByText("1/2")).toBeVisible();
  await page.getByRole("button", { name: "Next branch" }).click();
  await find("pangolins");
  await expect(thread(page).getByText("Where do pangolins sleep?")).toBeInViewport();
  await send(page, "One more.");
  await expect(thread(page).getByText("One more.")).toBeInViewport();
  await page.getByRole("button", { name: "Stop" }).click();
});

test("a folder is renamed and deleted, and its chats stay", async ({ page, server }) => {
  const { id: folder } = (await (
    await page.request.post(`${server.url}/api/ui/folders`, { data: { name: "Zoo" } })
  ).json()) as { id: string };
  const data = { model: "smollm2", title: "Kept chat", folder };
  expect((await page.request.post(`${server.url}/api/ui/chats`, { data })).ok()).toBe(true);
  await page.goto("/");
  const list = page.getByRole("region", { name: "Chats" });
  await list.getByRole("heading", { name: "Zoo" }).hover();
  await list.getByRole("button", { name: "What to do with the folder “Zoo”" }).click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await list.getByRole("textbox", { name: "Name of the folder" }).fill("Animals");
  await page.keyboard.press("Enter");
  const renamed = list.getByRole("region", { name: "Animals" });
  await expect(renamed.getByRole("link", { name: "Kept chat" })).toBeVisible();
  await list.getByRole("heading", { name: "Animals" }).hover();
  await list.getByRole("button", { name: "What to do with the folder “Animals”" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(renamed).toHaveCount(0);
  await expect(list.getByRole("link", { name: "Kept chat" })).toBeVisible();
});

test("on a phone the chats are in a drawer, and a chat fits @phone", async ({ page, server }) => {
  await openChat(page, server, { max_tokens: 20 });
  await send(page, "Say hello.");
  await ended(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.getByRole("button", { name: "Open the sidebar" }).click();
  await page.getByRole("dialog").getByRole("link", { name: "New chat" }).click();
  await expect(page.getByRole("heading", { name: "What shall we talk about?" })).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

// The last one: the server that the others share is started anew.
test("an answer goes on, the same text, when the server is killed and started again", async ({ page, server }) => {
  const ask = async () => {
    const id = await openChat(page, server, { max_tokens: 150, temperature: 0, seed: 7 });
    await send(page, LONG);
    await expect(thread(page).locator(".markdown")).toBeVisible();
    return id;
  };
  const whole = await ask();
  await ended(page);
  const cut = await ask();
  await server.kill();
  await server.up("smollm2");
  await expect
    .poll(async () => (await turnsOf(page, server, cut)).at(-1)?.state, { timeout: 60_000 })
    .toMatch(/done|cut/);
  await ended(page);
  const [expected, actual] = await Promise.all([whole, cut].map((id) => turnsOf(page, server, id)));
  expect(actual?.at(-1)?.content[0]?.text).toBe(expected?.at(-1)?.content[0]?.text);
});
