import { expect, type Page } from "@playwright/test";
import type { Server } from "./server";

export const composer = (page: Page) => page.getByRole("textbox", { name: "Message" });
export const thread = (page: Page) => page.getByRole("region", { name: "Conversation" });
const stopButton = (page: Page) => page.getByRole("button", { name: "Stop" });

/** A prompt that SmolLM2 answers at length, and at temperature 0 without an end. */
export const LONG = "Count from one to two hundred, each number as a word on a line of its own.";

export async function send(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press("Enter");
  // The answer is there as soon as the question is.
  await expect(thread(page).getByText(text).last()).toBeVisible();
}

export async function ended(page: Page): Promise<void> {
  await expect(stopButton(page)).toHaveCount(0, { timeout: 60_000 });
}

/** Waits for an answer of no set length, and stops one that goes on: a model this small may write its context full. */
export async function endedOrStopped(page: Page): Promise<void> {
  await expect(thread(page).locator(".markdown")).toBeVisible();
  await expect(stopButton(page))
    .toHaveCount(0, { timeout: 15_000 })
    .catch(() => stopButton(page).click());
  await ended(page);
}

/** Stops what is still being written: it may have come to its end by itself. */
export async function stopped(page: Page): Promise<void> {
  await stopButton(page)
    .click({ timeout: 5_000 })
    .catch(() => {});
  await ended(page);
}

/** Makes a chat by the API, so that a test can say how it answers, and opens it. */
export async function openChat(page: Page, server: Server, parameters: Record<string, unknown>): Promise<string> {
  const response = await page.request.post(`${server.url}/api/ui/chats`, { data: { model: "smollm2", parameters } });
  expect(response.ok()).toBe(true);
  const { id } = (await response.json()) as { id: string };
  await page.goto(`/ui/chats/${id}`);
  await expect(composer(page)).toBeVisible();
  return id;
}

export interface Turn {
  id: string;
  parent: string | null;
  role: string;
  state: string;
  content: { text: string }[];
}

export async function turnsOf(page: Page, server: Server, id: string): Promise<Turn[]> {
  const response = await page.request.get(`${server.url}/api/ui/chats/${id}`);
  return ((await response.json()) as { messages: Turn[] }).messages;
}

/** Opens a chat with `panel` beside it whose answers are short, since SmolLM2 talks on and on. */
export async function shortChat(page: Page, server: Server, panel: string, parameters: object = {}): Promise<void> {
  const data = { model: "smollm2", parameters: { max_tokens: 64, temperature: 0, ...parameters } };
  const made = await page.request.post(`${server.url}/api/ui/chats`, { data });
  const { id } = (await made.json()) as { id: string };
  await page.goto(`/ui/chats/${id}?panel=${panel}`);
}
