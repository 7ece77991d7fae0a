import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

/** Debian's Chromium, or one named by CHROMIUM; Playwright's own download is not needed. */
const chromium =
  process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
if (chromium === undefined)
  throw new Error("there is no Chromium: install Debian's package chromium, or name one in CHROMIUM");

export default defineConfig({
  testDir: "e2e",
  outputDir: "../build/e2e",
  // One server computes on all cores, and the tests of a file share it.
  workers: 1,
  // A busy machine takes its time over tokens.
  timeout: 240_000,
  expect: { timeout: 60_000 },
  forbidOnly: process.env.CI !== undefined,
  reporter: [["list"]],
  use: {
    launchOptions: {
      executablePath: chromium,
      // Containers have no user namespaces for its sandbox, and a small /dev/shm.
      args: ["--disable-dev-shm-usage", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
    },
    actionTimeout: 60_000,
    screenshot: "only-on-failure",
    trace: "retain-on-failure",
  },
  // Everyday runs (and .ci/run) take what is tagged @short; `make test-ui` takes all.
  projects: [
    { name: "desktop", use: { viewport: { width: 1440, height: 900 } }, grepInvert: /@phone/ },
    { name: "phone", use: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }, grep: /@phone/ },
  ],
});
