import type { Page } from "@playwright/test";
import { NotesServer } from "./harness/mcp";
import type { Server } from "./harness/server";
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

/** A chat whose answers are short, since SmolLM2 talks on and on. */
async function shortChat(page: Page, server: Server, panel = "tools", parameters: object = {}): Promise<void> {
  const body = JSON.stringify({ model: "smollm2", parameters: { max_tokens: 64, temperature: 0, ...parameters } });
  const headers = { "Content-Type": "application/json" };
  const made = await fetch(`${server.url}/api/ui/chats`, { method: "POST", body, headers });
  const { id } = (await made.json()) as { id: string };
  await page.goto(`/ui/chats/${id}?panel=${panel}`);
}

/** Has the next answer call `tool`: SmolLM2 would not choose one by itself. */
async function ask(page: Page, text: string, tool: string): Promise<void> {
  await panel(page).getByLabel("Which tool").selectOption(tool);
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Waits until the server has what was changed of the chat: what is typed is sent a little later. */
const changed = (page: Page) => page.waitForResponse((response) => response.request().method() === "PATCH");

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
    await shortChat(page, server);
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
    await shortChat(page, server);
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
    await shortChat(page, server);
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
    await shortChat(page, server);
    await ask(page, "Burn them", "notes__burn");
    await card(page, "notes__burn").getByRole("button", { name: "Run once" }).click();
    await expect(card(page, "notes__burn").getByText("failed", { exact: true })).toBeVisible();
    await expect(card(page, "notes__burn")).toContainText("there are no matches");
  });
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
  const saved = changed(page);
  await side.getByLabel("JSON schema", { exact: true }).fill(JSON.stringify(schema));
  await saved;
  await page.getByRole("textbox", { name: "Message" }).fill("Are you well?");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.locator(".markdown").last()).toHaveText(/^\{\s*"ok":\s*true\s*\}$/);
});

test("a token shows how likely it was, under the pointer and by keys", async ({ page, server }) => {
  await shortChat(page, server, "parameters");
  const side = page.getByRole("complementary", { name: "Parameters" });
  const saved = changed(page);
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

test("two models answer side by side, and one is gone on with", async ({ page, server }) => {
  await fetch(`${server.url}/api/copy`, {
    method: "POST",
    body: JSON.stringify({ source: "smollm2", destination: "twin" }),
    headers: { "Content-Type": "application/json" },
  });
  await shortChat(page, server, "", { max_tokens: 12 });
  await page.getByRole("button", { name: "Compare with another model" }).click();
  await page.getByRole("menuitem", { name: "twin" }).click();
  await page.getByRole("textbox", { name: "Message" }).fill("Name a colour");
  await page.getByRole("button", { name: "Send" }).click();
  const both = page.getByRole("region", { name: "Answers side by side" });
  await expect(both.getByRole("article", { name: "Answer of smollm2" }).locator(".markdown")).not.toBeEmpty();
  await expect(both.getByRole("article", { name: "Answer of twin" }).locator(".markdown")).not.toBeEmpty();
  const twin = both.getByRole("article", { name: "Answer of twin" });
  await twin.getByRole("button", { name: "Go on with this one" }).click();
  await expect(both).toBeHidden();
  await expect(page.getByRole("heading", { name: "Answer of twin" })).toBeVisible();
});

test("text, code and PDFs are attached, and what can't be read is refused in words", async ({ page }) => {
  await page.goto("/");
  const input = page.getByTestId("file-input");
  await input.setInputFiles([
    { name: "hello.py", mimeType: "text/x-python", buffer: Buffer.from("print('hi')") },
    { name: "paper.pdf", mimeType: "application/pdf", buffer: pdfOf("The harbour opens at seven") },
    { name: "cat.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47]) },
    { name: "odd.bin", mimeType: "application/octet-stream", buffer: Buffer.from([1, 0, 2, 0]) },
  ]);
  const chips = page.getByRole("list", { name: "Attached files" });
  await expect(chips.getByRole("listitem").filter({ hasText: "hello.py" })).toContainText("python");
  await expect(chips.getByRole("listitem").filter({ hasText: "paper.pdf" })).toContainText("PDF text");
  await expect(chips.getByRole("listitem").filter({ hasText: "cat.png" })).toContainText("can't look at images");
  await expect(chips.getByRole("listitem").filter({ hasText: "odd.bin" })).toContainText("no text, and no PDF");
  await chips.getByRole("button", { name: "Remove cat.png" }).click();
  await chips.getByRole("button", { name: "Remove odd.bin" }).click();
  await page.getByRole("textbox", { name: "Message" }).fill("When does the harbour open?");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(chips).toBeHidden();
  const sent = page.getByRole("region", { name: "Conversation" });
  await sent.getByText("paper.pdf").click();
  await expect(sent.getByText("The harbour opens at seven", { exact: true }).first()).toBeVisible();
  await expect(sent.getByText("hello.py")).toBeVisible();
});

test("files are pasted and dropped, and a picture is refused in words where no model looks at it", async ({ page }) => {
  await page.goto("/");
  const composer = page.getByRole("textbox", { name: "Message" });
  const chips = page.getByRole("list", { name: "Attached files" }).getByRole("listitem");
  await composer.evaluate((area) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(["milk and bread"], "list.txt", { type: "text/plain" }));
    area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  });
  await expect(chips.filter({ hasText: "list.txt" })).toContainText("14 B");
  const dragged = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(["import os"], "tool.py"));
    data.items.add(new File([new Uint8Array([0x89, 0x50])], "cat.png", { type: "image/png" }));
    return data;
  });
  const thread = page.getByRole("heading", { name: "What shall we talk about?" });
  await thread.dispatchEvent("dragenter", { dataTransfer: dragged });
  await expect(page.getByText("Drop files to attach them")).toBeVisible();
  await thread.dispatchEvent("drop", { dataTransfer: dragged });
  await expect(page.getByText("Drop files to attach them")).toHaveCount(0);
  await expect(chips.filter({ hasText: "tool.py" })).toContainText("python");
  await expect(chips.filter({ hasText: "cat.png" })).toContainText("smollm2 can't look at images");
  await composer.fill("What is in them?");
  await page.getByRole("button", { name: "Send" }).click();
  const sent = page.getByRole("region", { name: "Conversation" });
  await expect(sent.getByText("tool.py")).toBeVisible();
  await expect(sent.getByText("list.txt")).toBeVisible();
  await expect(sent.getByText("cat.png")).toHaveCount(0);
});

/** The smallest PDF that shows a line of text. */
function pdfOf(text: string): Buffer {
  const stream = `BT /F1 24 Tf 72 700 Td (${text}) Tj ET`;
  const objects = [
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
    `<</Length ${stream.length}>>stream\n${stream}\nendstream`,
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
  ];
  let body = "%PDF-1.4\n";
  const places = objects.map((object, index) => {
    const at = body.length;
    body += `${index + 1} 0 obj${object}endobj\n`;
    return at;
  });
  const table = places.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("");
  const end = `xref\n0 6\n0000000000 65535 f \n${table}trailer<</Size 6/Root 1 0 R>>\nstartxref\n${body.length}\n%%EOF`;
  return Buffer.from(body + end, "latin1");
}
