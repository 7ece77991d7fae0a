import type { Page } from "@playwright/test";
import { shortChat } from "./harness/chat";
import { NotesServer } from "./harness/mcp";
import { expect, test } from "./harness/test";

let notes: NotesServer;
let url: string;

test.beforeAll(async () => {
  notes = new NotesServer();
  url = await notes.start();
});
test.afterAll(() => notes.close());
test.beforeEach(() => {
  notes.calls = [];
});

const panel = (page: Page) => page.getByRole("complementary", { name: "Tools" });
const card = (page: Page, name: string) => page.getByRole("region", { name: `Tools: ${name}` });

/** Has the next answer call `tool`: SmolLM2 would not choose one by itself. */
async function ask(page: Page, text: string, tool: string): Promise<void> {
  await panel(page).getByLabel("Which tool").selectOption(tool);
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

test.describe("tools of an MCP server", () => {
  test.describe.configure({ mode: "serial" });

  test("an MCP server is added with a key that nobody sees again, and says what is wrong until it is right", async ({
    page,
    server,
  }) => {
    await page.goto("/?panel=tools");
    await panel(page).getByRole("button", { name: "Add a server" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a server" });
    await dialog.getByLabel("Name").fill("notes");
    await dialog.getByLabel("Address").fill(url);
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(panel(page)).toContainText("it wants a login (401)");

    await panel(page).getByRole("button", { name: "What to do with notes" }).click();
    await page.getByRole("menuitem", { name: "Change" }).click();
    const change = page.getByRole("dialog", { name: "notes" });
    await change.getByRole("button", { name: "Add a header" }).click();
    await change.getByLabel("Header", { exact: true }).fill("Authorization");
    await change.getByLabel("Value").fill(notes.key);
    await change.getByRole("button", { name: "Save" }).click();
    await panel(page).getByRole("button", { name: "2 tools" }).click();
    await expect(panel(page).getByText("Finds a note")).toBeVisible();

    const kept = await (await fetch(`${server.url}/api/ui/tools`)).text();
    expect(kept).toContain("Authorization");
    expect(kept).not.toContain("let-me-in");
    const exported = await (await fetch(`${server.url}/api/ui/chats/export?format=json`)).text();
    expect(exported).not.toContain("let-me-in");
  });

  test("a call waits for a word, runs with changed arguments, and the answer goes on from its result", async ({
    page,
    server,
  }) => {
    await shortChat(page, server, "tools");
    await expect(panel(page).getByRole("button", { name: "2 tools" })).toBeVisible();
    await ask(page, "What do my notes say about plants?", "notes__find");
    const call = card(page, "notes__find");
    await expect(call.getByText("wants to be run")).toBeVisible();
    expect(notes.calls).toEqual([]);
    const given = call.getByLabel("Arguments");
    await given.fill("{");
    await expect(call.getByText("This is no JSON object.")).toBeVisible();
    await expect(call.getByRole("button", { name: "Run once" })).toBeDisabled();
    await given.fill('{"word": "plants"}');
    await call.getByRole("button", { name: "Run once" }).click();
    await expect(call.getByText("done", { exact: true })).toBeVisible();
    expect(notes.calls).toEqual([{ tool: "find", given: { word: "plants" } }]);
    await call.getByRole("button", { name: "Result" }).click();
    await expect(call).toContainText("water the plants on Friday");
    await expect(page.getByRole("button", { name: "Answer again" }).last()).toBeVisible();
  });

  test("a tool that is always allowed runs once with two tabs open, and a denied one never", async ({
    page,
    context,
    server,
  }) => {
    await shortChat(page, server, "tools");
    await ask(page, "What do my notes say about milk?", "notes__find");
    const second = await context.newPage();
    await expect(page).toHaveURL(/\/ui\/chats\//);
    await second.goto(page.url());
    await expect(card(second, "notes__find").getByText("wants to be run")).toBeVisible();
    await card(page, "notes__find").getByRole("button", { name: "Always run this tool" }).click();
    await expect(card(page, "notes__find").getByText("done", { exact: true })).toBeVisible();
    await expect(card(second, "notes__find").getByText("done", { exact: true })).toBeVisible();
    expect(notes.calls).toHaveLength(1);

    await expect(page.getByRole("button", { name: "Stop" })).toBeHidden();
    await ask(page, "And about bread?", "notes__find");
    await expect(card(page, "notes__find").nth(1).getByText("done", { exact: true })).toBeVisible();
    expect(notes.calls).toHaveLength(2);
    await second.close();

    await expect(page.getByRole("button", { name: "Stop" })).toBeHidden();
    await ask(page, "Burn them", "notes__burn");
    await card(page, "notes__burn").getByRole("button", { name: "Deny" }).click();
    await expect(card(page, "notes__burn").getByText("denied", { exact: true })).toBeVisible();
    expect(notes.calls).toHaveLength(2);
  });

  test("a tool that the server learns is listed, and a call outlives its restart", async ({ page, server }) => {
    await shortChat(page, server, "tools");
    await expect(panel(page).getByRole("button", { name: "2 tools" })).toBeVisible();
    notes.learn("sing");
    await expect(panel(page).getByRole("button", { name: "3 tools" })).toBeVisible();
    notes.forget();
    await ask(page, "What do my notes say about bread?", "notes__find");
    await expect(card(page, "notes__find").getByText("done", { exact: true })).toBeVisible();
    expect(notes.calls).toHaveLength(1);
    await expect(panel(page).getByRole("button", { name: "2 tools" })).toBeVisible();
  });

  test("what a tool says went wrong is shown, and told to the model", async ({ page, server }) => {
    await shortChat(page, server, "tools");
    await ask(page, "Burn them", "notes__burn");
    await card(page, "notes__burn").getByRole("button", { name: "Run once" }).click();
    await expect(card(page, "notes__burn").getByText("failed", { exact: true })).toBeVisible();
    await expect(card(page, "notes__burn")).toContainText("there are no matches");
  });
});
