import { exported } from "../screenshots/content";
import { composer, ended, openChat, send, stopped, thread } from "./harness/chat";
import { expect, test } from "./harness/test";

test("a draft stays with its chat", async ({ page, server }) => {
  const first = await openChat(page, server, {});
  await composer(page).fill("not sent yet");
  await openChat(page, server, {});
  await expect(composer(page)).toHaveValue("");
  await page.goto(`/ui/chats/${first}`);
  await expect(composer(page)).toHaveValue("not sent yet");
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

test("a temporary chat says that it is one, is in no list, and is kept after all", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Temporary chat" }).click();
  await expect(page.getByRole("note").getByText(/A temporary chat/)).toBeVisible();
  await composer(page).fill("Do not keep this question");
  await composer(page).press("Enter");
  await expect(thread(page).getByText("Do not keep this question")).toBeVisible();
  await stopped(page);
  await page.reload();
  await expect(thread(page).getByText("Do not keep this question")).toBeVisible();
  await expect(page.getByRole("note").getByText(/A temporary chat/)).toBeVisible();
  const listed = page.getByRole("region", { name: "Chats" }).getByRole("link", { name: /Do not keep/ });
  await expect(listed).toHaveCount(0);
  await page.getByRole("button", { name: "Keep it" }).click();
  await expect(listed).toBeVisible();
  await expect(page.getByRole("note")).toHaveCount(0);
});

test("a chat that is archived is out of the way, is found by a search, and comes back", async ({ page, server }) => {
  const data = { model: "smollm2", title: "Old receipts" };
  expect((await page.request.post(`${server.url}/api/ui/chats`, { data })).ok()).toBe(true);
  await page.goto("/");
  const list = page.getByRole("region", { name: "Chats" });
  const link = list.getByRole("link", { name: "Old receipts" });
  const menu = list.getByRole("button", { name: "What to do with “Old receipts”" });
  await link.hover();
  await menu.click();
  await page.getByRole("menuitem", { name: "Archive", exact: true }).click();
  await expect(link).toHaveCount(0);
  await list.getByRole("searchbox", { name: "Search chats" }).fill("receipts");
  await expect(link).toBeVisible();
  await list.getByRole("searchbox", { name: "Search chats" }).fill("");
  await list.getByRole("button", { name: "What to do with all chats" }).click();
  await page.getByRole("menuitem", { name: "Archived chats" }).click();
  await link.hover();
  await menu.click();
  await page.getByRole("menuitem", { name: "Take out of the archive" }).click();
  await expect(list.getByText("No chat is archived.")).toBeVisible();
  await list.getByRole("button", { name: "Back to the chats" }).click();
  await expect(link).toBeVisible();
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
  await stopped(page);
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

test("a file of chats is imported, and a damaged one is refused in words and changes nothing", async ({ page }) => {
  await page.goto("/");
  const file = page.locator('input[type="file"][accept*="json"]');
  const list = page.getByRole("region", { name: "Chats" });
  await file.setInputFiles({ name: "chats.json", mimeType: "application/json", buffer: Buffer.from(exported()) });
  await expect(page.getByText("3 chats were imported.")).toBeVisible();
  await expect(list.getByRole("link", { name: /Newton/ })).toBeVisible();
  const before = await list.getByRole("link").allInnerTexts();
  const cut = exported().slice(0, 700);
  await file.setInputFiles({ name: "cut.json", mimeType: "application/json", buffer: Buffer.from(cut) });
  await expect(page.getByText(/cut\.json: .*damaged or cut off/)).toBeVisible();
  await page.reload();
  await expect(list.getByRole("link")).toHaveText(before);
});

test("of many chats only those in sight are in the page, and keys go from the first to the last", async ({ page }) => {
  const chats = Array.from({ length: 150 }, (_, index) => ({
    chat: { id: `many-${index}`, title: `Chat number ${index}`, created: index, updated: index },
    messages: [],
  }));
  const archive = { format: "mlxr-chats", version: 1, chats };
  await page.request.post("/api/ui/chats/import", { data: JSON.stringify(archive) });
  await page.goto("/");
  const list = page.getByRole("region", { name: "Chats" });
  const link = (index: number) => list.getByRole("link", { name: `Chat number ${index}`, exact: true });
  await link(149).focus();
  await page.keyboard.press("ArrowDown");
  await expect(link(148)).toBeFocused();
  await page.keyboard.press("End");
  await expect(link(0)).toBeFocused();
  await expect(link(0)).toBeInViewport();
  await expect(link(149)).toHaveCount(0);
  expect(await list.getByRole("link").count()).toBeLessThan(60);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("textbox", { name: "Title of the chat" })).toHaveValue("Chat number 0");
  await link(0).focus();
  await page.keyboard.press("ArrowUp");
  await expect(link(1)).toBeFocused();
});
