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

  test(`axe finds nothing on a phone, ${theme} @phone`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const path of PAGES) {
      await page.goto(path);
      await expect(page.getByRole("main")).toBeVisible();
      await expect(page.locator(".animate-pulse")).toHaveCount(0);
      expect(await axeFindings(page), path).toEqual([]);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wider, `${path} is wider than the screen`).toBeLessThanOrEqual(0);
    }
  });
}
