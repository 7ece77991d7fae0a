import { MODELS } from "./harness/server";
import { expect, test } from "./harness/test";

const GEMMA = MODELS.gemma3;
/** What computes takes its time where others compute, too. */
const PATIENT = { timeout: 80_000 };
test.setTimeout(180_000);

test("a model is checked, pulled with its progress in view, and deleted with a word on its files", async ({ page }) => {
  await page.goto("/ui/models");
  await page.getByRole("button", { name: "Get a model" }).click();
  const dialog = page.getByRole("dialog", { name: "Get a model" });
  await dialog.getByLabel("Name or address").fill(GEMMA);
  await dialog.getByRole("button", { name: "Check" }).click();
  await expect(dialog.getByText("Runs here · Fits into memory")).toBeVisible(PATIENT);
  await expect(dialog.getByText(/tokens a second/)).toBeVisible();
  await dialog.getByRole("button", { name: "Get it" }).click();
  await expect(dialog.getByText("Done")).toBeVisible(PATIENT);
  await dialog.getByRole("button", { name: "Close" }).last().click();

  const row = page.getByRole("row", { name: /^gemma3 / });
  await expect(row).toContainText("Q4_K_M");
  await row.getByRole("button", { name: "More for gemma3" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  const confirm = page.getByRole("dialog", { name: "Delete gemma3?" });
  await expect(confirm).toContainText("are removed from the disk");
  await confirm.getByRole("button", { name: "Delete" }).click();
  await expect(row).toHaveCount(0);
});

test("a quantization goes on when its tab closes, and its model is told to be larger", async ({ page, context }) => {
  await page.goto("/ui/models");
  await page.getByRole("button", { name: "More for smollm2" }).click();
  await page.getByRole("menuitem", { name: "Convert or quantize…" }).click();
  const dialog = page.getByRole("dialog", { name: "Convert smollm2" });
  await expect(dialog.getByRole("radio", { name: /Q4_K_M/ })).toBeChecked(PATIENT);
  await expect(dialog.getByText("7 % larger", { exact: true })).toBeVisible();
  await expect(dialog.getByText("166 × Q5_0 instead of Q4_K")).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Make it" })).toBeDisabled();
  await dialog.getByRole("switch", { name: "Quantize what is quantized already" }).click();
  await dialog.getByLabel("Name of the new model").fill("small-k");
  await dialog.getByRole("button", { name: "Make it" }).click();
  await expect(dialog.getByText(/At work|Waits its turn|Done/)).toBeVisible();

  const other = await context.newPage();
  await page.close();
  await other.goto("/ui/models");
  await expect(other.getByRole("row", { name: /^small-k / })).toContainText("Q4_K_M", PATIENT);
  await expect(other.getByText("105.5 MB, 7% larger than smollm2 (98.4 MB)")).toBeVisible();
});

test("a cancelled quantization can be tried again", async ({ page, server }) => {
  const body = { model: "smollm2", type: "IQ3_S", requantize: true, name: "slow" };
  await fetch(`${server.url}/api/ui/jobs/convert`, { method: "POST", body: JSON.stringify(body) });
  await page.goto("/ui/models");
  const job = page.getByRole("listitem").filter({ hasText: "Making slow" });
  await job.getByRole("button", { name: "Cancel" }).click();
  await expect(job.getByText("Cancelled")).toBeVisible();
  await job.getByRole("button", { name: "Try again" }).click();
  await expect(job.getByText("attempt 2")).toBeVisible();
  await job.getByRole("button", { name: "Cancel" }).click();
  await expect(job.getByText("Cancelled")).toBeVisible();
  await job.getByRole("button", { name: "Remove from the list" }).click();
  await expect(job).toHaveCount(0);
});

test("a model is loaded, kept, pinned and unloaded, in every tab at once @short", async ({ page, context }) => {
  await page.goto("/ui/models");
  const other = await context.newPage();
  await other.goto("/ui/models");
  const row = page.getByRole("row", { name: /^smollm2 / });
  const sameRow = other.getByRole("row", { name: /^smollm2 / });
  await page.getByRole("button", { name: "More for smollm2", exact: true }).click();
  await page.getByRole("menuitemcheckbox", { name: "Pin: keep it loaded" }).click();
  await expect(row).toContainText("Pinned");
  await expect(sameRow).toContainText("Pinned");
  await other.getByRole("button", { name: "Unload smollm2", exact: true }).click();
  await expect(row).toContainText("Not loaded");
  await page.getByRole("button", { name: "Load smollm2", exact: true }).click();
  await expect(sameRow).toContainText(/Unloads in [45]:\d\d/, PATIENT);
});

test("on a phone models are cards, and details fit @phone", async ({ page }) => {
  await page.goto("/ui/models?model=smollm2");
  const details = page.getByRole("dialog", { name: "smollm2" });
  await expect(details.getByText("apache-2.0")).toBeVisible();
  await details.getByRole("tab", { name: "Template" }).click();
  await expect(details.getByText(/im_start/)).toBeVisible();
  await details.getByRole("button", { name: "Close" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: "smollm2" }).first()).toBeVisible();
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  expect(sideways).toBe(false);
});
