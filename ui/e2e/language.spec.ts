import { expect, test } from "./harness/test";

test("in German what the server says is German, too: errors, verdicts, and what settings mean", async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem("mlxr.preferences", JSON.stringify({ language: "de" })));
  await page.goto("/ui/models?pull=/nowhere/x.gguf");
  await page.getByRole("button", { name: "Prüfen" }).click();
  await expect(page.getByRole("alert")).toContainText("In '/nowhere/x.gguf' ist kein Modell zu lesen");
  await page.goto("/ui/settings");
  await expect(page.getByText("zugleich geladene Modelle")).toBeVisible();
  await page.goto("/");
  await page.setInputFiles('input[type="file"][accept*="json"]', {
    name: "kaputt.json",
    mimeType: "application/json",
    buffer: Buffer.from('{"chats": ['),
  });
  await expect(page.getByText(/kaputt\.json: Nichts wurde importiert: Die Datei ist beschädigt/)).toBeVisible();
});
