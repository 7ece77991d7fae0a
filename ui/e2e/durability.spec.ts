import type { APIRequestContext, Page } from "@playwright/test";
import type { Server } from "./harness/server";
import { expect, test } from "./harness/test";

const PROMPT = "Tell me a long story about a lighthouse keeper and the sea.";
/** More than is written before a busy machine has looked at it, also where what another chat said is drafted. */
const max_tokens = 800;
const GREEDY = { temperature: 0, max_tokens };
const SEEDED = { temperature: 1, seed: 11, max_tokens };

interface Turn {
  role: string;
  state: string;
  content: { type: string; text?: string }[];
}

/** A new chat's address. */
async function newChat(request: APIRequestContext, parameters: object): Promise<string> {
  const made = await request.post("/api/ui/chats", { data: { model: "smollm2", parameters } });
  expect(made.ok()).toBe(true);
  return ((await made.json()) as { id: string }).id;
}

async function answer(request: APIRequestContext, chat: string): Promise<Turn | undefined> {
  const shown = await request.get(`/api/ui/chats/${chat}`);
  const { messages } = (await shown.json()) as { messages: Turn[] };
  return messages.find((turn) => turn.role === "assistant");
}

const textOf = (turn: Turn | undefined) => turn?.content.find((part) => part.type === "text")?.text ?? "";

async function ask(page: Page, chat: string): Promise<void> {
  await page.goto(`/ui/chats/${chat}`);
  await page.getByRole("textbox", { name: "Message" }).fill(PROMPT);
  await page.keyboard.press("Enter");
}

const thread = (page: Page) => page.getByRole("region", { name: "Conversation" });

async function ended(request: APIRequestContext, chat: string): Promise<string> {
  await expect
    .poll(async () => (await answer(request, chat))?.state, { timeout: 200_000, intervals: [250] })
    .toMatch(/done|cut/);
  return textOf(await answer(request, chat));
}

/** Waits until an answer is under way: some of it is there, and more to come. */
async function underWay(request: APIRequestContext, chat: string): Promise<void> {
  await expect.poll(async () => textOf(await answer(request, chat)).length, { intervals: [50] }).toBeGreaterThan(20);
  expect((await answer(request, chat))?.state).toBe("streaming");
}

/** What the answer is if nothing happens to it. */
async function undisturbed(request: APIRequestContext, parameters: object): Promise<string> {
  const chat = await newChat(request, parameters);
  await request.post(`/api/ui/chats/${chat}/messages`, { data: { content: [{ type: "text", text: PROMPT }] } });
  return ended(request, chat);
}

/** The end of an answer as a page shows it: Markdown's marks and line breaks are no text there. */
const lastWords = (text: string) =>
  text
    .replace(/[*_`#>]/g, "")
    .trim()
    .split(/\s+/)
    .slice(-4)
    .join(" ");

test("an answer goes on without its tab, and every tab shows it @short", async ({ context, page, request }) => {
  const chat = await newChat(request, GREEDY);
  await ask(page, chat);
  await underWay(request, chat);
  const second = await context.newPage();
  await second.goto(`/ui/chats/${chat}`);
  await page.close();
  const text = await ended(request, chat);
  expect(text).toBe(await undisturbed(request, GREEDY));
  await expect(thread(second)).toContainText(lastWords(text));
  const third = await context.newPage();
  await third.goto(`/ui/chats/${chat}`);
  await expect(thread(third)).toContainText(lastWords(text));
});

const KILLS: { what: string; kill: (server: Server) => Promise<void> }[] = [
  { what: "the executor", kill: async (server) => server.killExecutor() },
  {
    what: "the server",
    kill: async (server) => {
      await server.kill();
      await server.up("smollm2");
    },
  },
];

for (const { what, kill } of KILLS) {
  for (const [kind, parameters] of [
    ["greedy", GREEDY],
    ["seeded", SEEDED],
  ] as const) {
    test(`a ${kind} answer is the same when ${what} is killed in the middle of it`, async ({
      page,
      request,
      server,
    }) => {
      const whole = await undisturbed(request, parameters);
      const chat = await newChat(request, parameters);
      await ask(page, chat);
      await underWay(request, chat);
      await kill(server);
      expect(await ended(request, chat)).toBe(whole);
      // The page was open all the while, and has found back by itself.
      await expect(thread(page)).toContainText(lastWords(whole));
    });
  }
}
