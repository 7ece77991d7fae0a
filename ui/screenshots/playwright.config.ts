import { defineConfig } from "@playwright/test";
import base from "../playwright.config";

/** Pictures of every page for people to look at: `make screenshots`. */
export default defineConfig({
  ...base,
  testDir: ".",
  testMatch: ["pages.ts", "states.ts", "prompts.ts", "german.ts"],
  outputDir: "../../build/screenshots/failed",
  timeout: 600_000,
  use: { ...base.use, actionTimeout: 120_000 },
  projects: [
    { name: "desktop", use: { viewport: { width: 1440, height: 900 } } },
    {
      name: "phone",
      use: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
    },
  ],
});
