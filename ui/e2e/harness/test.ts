import { test as base, expect } from "@playwright/test";
import { Server } from "./server";

/**
 * Playwright's `test` with a real server that serves SmolLM2, one for the tests of a file.
 * A file that needs other options or models says `test.use({ serverOptions: [...], models: [...] })`.
 */
export const test = base.extend<
  { complaints: string[] },
  { server: Server; serverOptions: readonly string[]; models: readonly ("smollm2" | "gemma3")[] }
>({
  serverOptions: [[], { option: true, scope: "worker" }],
  models: [["smollm2"], { option: true, scope: "worker" }],
  server: [
    async ({ serverOptions, models }, use) => {
      const server = await Server.start(models, serverOptions);
      await use(server);
      await server.close();
    },
    { scope: "worker", timeout: 300_000 },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  /** What the page complained about: errors, and what its Content-Security-Policy refused. A test fails on any. */
  complaints: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error" && /Content Security Policy|Uncaught/.test(message.text()))
          complaints.push(message.text());
      });
      await use(complaints);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
