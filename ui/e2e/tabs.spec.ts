import { composer, ended, LONG, openChat, send, thread } from "./harness/chat";
import { expect, test } from "./harness/test";

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

test("what is typed into a message stays in view and is sent when another tab edits the same one", async ({
  page,
  context,
  server,
}) => {
  const id = await openChat(page, server, { max_tokens: 4 });
  await send(page, "Name a colour.");
  await ended(page);
  const other = await context.newPage();
  await other.goto(`/ui/chats/${id}`);
  const edit = async (tab: typeof page, text: string) => {
    await thread(tab).getByText("Name a colour.").hover();
    await thread(tab).getByRole("button", { name: "Edit" }).click();
    await tab.getByRole("textbox", { name: "Edit" }).fill(text);
  };
  await edit(page, "Name a bird.");
  await edit(other, "Name a tree.");
  await other.getByRole("textbox", { name: "Edit" }).press("Enter");
  await expect(thread(other).getByText("2/2")).toBeVisible();
  await expect(page.getByText(/Another tab went to another version/)).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Edit" })).toBeFocused();
  await page.keyboard.type(" A small one.");
  await page.keyboard.press("Enter");
  await expect(thread(page).getByText("Name a bird. A small one.")).toBeVisible();
  await expect(thread(page).getByText("3/3")).toBeVisible();
  await ended(page);
});

test("four tabs are open, each with a chat, and each has its question answered", async ({ page, context, server }) => {
  const tabs = [page, ...(await Promise.all([1, 2, 3].map(() => context.newPage())))];
  for (const tab of tabs) await openChat(tab, server, { max_tokens: 4 });
  for (const tab of tabs) await send(tab, "Say yes.");
  for (const tab of tabs) await ended(tab);
});

test("where the tab that leads the list of chats is frozen another takes its turn", async ({
  page,
  context,
  server,
}) => {
  await page.goto("/");
  await expect(page.getByRole("region", { name: "Chats" })).toBeVisible();
  const other = await context.newPage();
  await other.goto("/");
  const list = other.getByRole("region", { name: "Chats" });
  await expect(list).toBeVisible();
  const make = (title: string) => other.request.post(`${server.url}/api/ui/chats`, { data: { title } });
  await make("Told by the one that leads");
  await expect(list.getByText("Told by the one that leads")).toBeVisible();
  // As some phones freeze a tab that is left: no event tells it of that, and it keeps its lock.
  const debug = await context.newCDPSession(page);
  await debug.send("Debugger.enable");
  const frozen = new Promise((done) => debug.once("Debugger.paused", done));
  await debug.send("Debugger.pause");
  await make("Told by another");
  await expect(list.getByText("Told by another")).toBeVisible();
  await frozen;
  await debug.send("Debugger.disable");
  await expect(page.getByRole("region", { name: "Chats" }).getByText("Told by another")).toBeVisible();
  await make("Told to both");
  for (const tab of [page, other])
    await expect(tab.getByRole("region", { name: "Chats" }).getByText("Told to both")).toBeVisible();
});
