import { expect, test } from "./harness/test";

test.use({ serverOptions: ["--set", "server.max_stop=33", "--api-key", "sesame-1234"] });

const KEY = "sesame-1234";

/** Opens the settings as somebody who has given the key already. */
test.beforeEach(async ({ page }) => {
  await page.addInitScript((key) => localStorage.setItem("mlxr.key", key), KEY);
  await page.goto("/ui/settings");
});

test("each value of the configuration says where it comes from, and secrets are not shown", async ({ page }) => {
  await page.getByPlaceholder("Find a setting").fill("max_stop");
  const row = page.getByRole("listitem").filter({ hasText: "max_stop" });
  await expect(row).toContainText("33");
  await expect(row).toContainText("--set server.max_stop");
  await page.getByPlaceholder("Find a setting").fill("");
  await page.getByRole("switch", { name: "Only what is set" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: "api_keys" })).toContainText("1 key, hidden");
  await expect(page.getByText("page_size")).toHaveCount(0);
  await expect(page.locator("body")).not.toContainText(KEY);
});

test("theme and language change at once, and stay", async ({ page }) => {
  await page.getByRole("radio", { name: "Dark" }).check({ force: true });
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.getByRole("radio", { name: "Deutsch" }).check({ force: true });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Einstellungen");
  await expect(page.locator("html")).toHaveAttribute("lang", "de");
  await page.reload();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Einstellungen");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("a key is tested, and goes into no address", async ({ page }) => {
  const urls: string[] = [];
  page.on("request", (request) => urls.push(request.url()));
  await page.getByLabel("New key").fill("open-wrong");
  await page.getByRole("button", { name: "Test" }).click();
  await expect(page.getByText("The server does not know this key.")).toBeVisible();
  await page.getByLabel("New key").fill(KEY);
  await page.getByRole("button", { name: "Test" }).click();
  await expect(page.getByText("The server takes this key.")).toBeVisible();
  expect(urls.filter((url) => url.includes(KEY) || url.includes("open-wrong"))).toEqual([]);
  expect(await page.context().cookies()).toEqual([]);
});

test("the keyboard alone reaches and changes everything", async ({ page }) => {
  await page.getByRole("radio", { name: "System" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  await page.getByRole("switch", { name: "Only what is set" }).focus();
  await page.keyboard.press("Space");
  await expect(page.getByRole("switch", { name: "Only what is set" })).toBeChecked();
});
