import type { Page } from "@playwright/test";
import { exported } from "../screenshots/content";
import { axeFindings } from "./harness/axe";
import { expect, test } from "./harness/test";

const PAGES = ["/", "/ui/models", "/ui/playground", "/ui/metrics", "/ui/requests", "/ui/logs", "/ui/settings"];
const TOOLS = ["structured", "embeddings", "rerank", "tokenizer"].map((tool) => `/ui/playground?tool=${tool}`);

for (const theme of ["light", "dark"] as const) {
  for (const path of [...PAGES, ...TOOLS, "/ui/no-such-page"]) {
    test(`axe finds nothing at ${path}, ${theme}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await page.goto(path);
      await expect(page.getByRole("main")).toBeVisible();
      await expect(page.locator(".animate-pulse")).toHaveCount(0);
      expect(await axeFindings(page)).toEqual([]);
    });
  }

  test(`axe finds nothing in what opens over a page, ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.goto("/ui/settings");
    await expect(page.getByRole("heading", { name: "Appearance" })).toBeVisible();
    for (const keys of ["Control+k", "Control+/"]) {
      await page.keyboard.press(keys);
      await expect(page.getByRole("dialog")).toBeVisible();
      expect(await axeFindings(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await expect(page.getByRole("dialog")).toHaveCount(0);
    }
  });

  for (const place of ["", " on a phone @phone"])
    test(`axe finds nothing in a chat, its panels and dialogs, ${theme}${place}`, async ({ page, server }) => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      const imported = await page.request.post("/api/ui/chats/import", { data: exported() });
      const { chats } = (await imported.json()) as { chats: { id: string; title: string }[] };
      const chat = chats.find(({ title }) => title.includes("Newton"));
      await fetch(`${server.url}/v1/completions`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ model: "smollm2", prompt: "One", max_tokens: 2 }),
      });
      const listed = await page.request.get("/api/ui/requests");
      const { requests } = (await listed.json()) as { requests: { id: number }[] };
      for (const [path, shown] of [
        [`/ui/chats/${chat?.id}`, "Each step"],
        [`/ui/chats/${chat?.id}?panel=parameters`, "Temperature"],
        [`/ui/chats/${chat?.id}?panel=tools`, "Calculator"],
        ["/ui/models?model=smollm2", "apache-2.0"],
        ["/ui/models?pull=smollm2", "Name or address"],
        [`/ui/requests?id=${requests.at(-1)?.id}`, "Timeline"],
      ] as const) {
        await page.goto(path);
        await expect(page.getByText(shown).first(), path).toBeVisible();
        await expect(page.locator(".animate-pulse")).toHaveCount(0);
        expect(await axeFindings(page), path).toEqual([]);
        expect(await sideways(page), `${path} is wider than the screen`).toBeLessThanOrEqual(0);
      }
    });

  test(`axe finds nothing on a phone, ${theme} @phone`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const path of [...PAGES, ...TOOLS]) {
      await page.goto(path);
      await expect(page.getByRole("main")).toBeVisible();
      await expect(page.locator(".animate-pulse")).toHaveCount(0);
      expect(await axeFindings(page), path).toEqual([]);
      expect(await sideways(page), `${path} is wider than the screen`).toBeLessThanOrEqual(0);
    }
  });
}

/** How much wider the page is than the screen. */
const sideways = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

test("what grows has its new size at once where less motion is wanted", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto("/ui/settings");
  const height = await page.evaluate(() => {
    const box = document.body.appendChild(document.createElement("div"));
    const sized = (style: string) => {
      box.style.height = style;
      return box.offsetHeight;
    };
    const sizes = [sized("10px"), sized("50px")];
    box.remove();
    return sizes;
  });
  expect(height).toEqual([10, 50]);
});
