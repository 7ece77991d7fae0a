import { join, resolve } from "node:path";
import { expect, test } from "./harness/test";

const MINILM = join(resolve(import.meta.dirname, "../.."), ".cache/models/minilm");

test.beforeAll(({ server }) => {
  server.run("pull", MINILM);
});

test("a completion shows each token's probability and alternatives @short", async ({ page }) => {
  await page.goto("/ui/playground");
  await page.getByLabel("Text to go on with").fill("The capital of France is");
  await page.getByRole("spinbutton", { name: "Temperature" }).fill("0");
  await page.getByRole("spinbutton", { name: "Token limit" }).fill("6");
  await page.getByRole("button", { name: "Run" }).click();
  const result = page.getByRole("region", { name: "Result" });
  await expect(result).toContainText("cut at the limit");
  await expect(result).toContainText("6 tokens");
  const tokens = result.getByRole("button", { name: /%$/ });
  await expect(tokens).toHaveCount(6);
  await tokens.first().click();
  await expect(result.getByRole("row").nth(1)).toContainText("%");
  const before = await result.getByRole("table").textContent();
  await page.keyboard.press("ArrowRight");
  await expect(tokens.nth(1)).toBeFocused();
  await expect(result.getByRole("table")).not.toHaveText(before ?? "");
});

test("a long completion stops when it is told to", async ({ page, server }) => {
  let asked = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/v1/completions")) asked += 1;
  });
  await page.goto("/ui/playground");
  await page.getByLabel("Text to go on with").fill("1, 2, 3, 4, 5, 6, 7, 8,");
  await page.getByRole("spinbutton", { name: "Temperature" }).fill("0");
  await page.getByRole("spinbutton", { name: "Token limit" }).fill("512");
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.getByRole("region", { name: "Result" }).getByRole("button", { name: /%$/ }).nth(3)).toBeVisible();
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("button", { name: "Run" })).toBeVisible();
  // The server has stopped too, rather than gone on for nobody.
  const counted = async () => (await fetch(`${server.url}/metrics`)).text();
  await expect.poll(counted).toMatch(/mlxr_requests_total\{[^}]*outcome="cancelled"[^}]*\} [1-9]/);
  expect(await counted()).toMatch(/^mlxr_open_requests 0/m);
  expect(asked).toBe(1);
});

test("structured output keeps to its schema, and a wrong schema is told by its place", async ({ page }) => {
  await page.goto("/ui/playground?tool=structured");
  const schema = page.getByLabel("JSON schema");
  await schema.fill('{"type": "object", "properties": {"a": {"type": "strin"}}}');
  await expect(page.getByText("#/properties/a: there is no type strin.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Run" })).toBeDisabled();
  await schema.fill('{"enum": ["red", "green"]}');
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.getByText("The answer keeps to the schema.")).toBeVisible();
  await expect(page.getByRole("region", { name: "Answer" }).locator("pre")).toHaveText(/^"(red|green)"$/);
});

test("embeddings are compared in a table that says its values", async ({ page }) => {
  await page.goto("/ui/playground?tool=embeddings");
  await page.getByLabel("Texts, one a line").fill("a cat\na kitten\ntax law");
  await page.getByRole("button", { name: "Run" }).click();
  const matrix = page.getByRole("table", { name: "Similarity of each text to each" });
  await expect(matrix.getByRole("row")).toHaveCount(4);
  const values = (await matrix.getByRole("cell").allInnerTexts()).filter((text) => text !== "").map(Number);
  expect(values).toHaveLength(9);
  expect([values[0], values[4], values[8]]).toEqual([1, 1, 1]);
  expect(values[1]).toBeGreaterThan(values[2] ?? 1);
  await expect(page.getByText("384 dimensions")).toBeVisible();
});

test("documents are ranked by a query", async ({ page }) => {
  await page.goto("/ui/playground?tool=rerank");
  await page.getByLabel("Query").fill("a young cat");
  await page.getByLabel("Documents, one a line").fill("tax law\na kitten\na car");
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.getByRole("main").locator("ol > li").first()).toContainText("a kitten");
});

test("a text is cut into tokens with their numbers, as the API cuts it", async ({ page, server }) => {
  await page.goto("/ui/playground?tool=tokenizer&model=smollm2");
  await page.getByLabel("Text", { exact: true }).fill("Hello wörld 👋");
  const answer = await fetch(`${server.url}/tokenize`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "smollm2", prompt: "Hello wörld 👋" }),
  });
  const { count, tokens } = (await answer.json()) as { count: number; tokens: number[] };
  const chips = page.getByRole("region", { name: "Tokens" }).getByRole("listitem");
  await expect(chips).toHaveCount(count);
  await expect(chips.last()).toContainText(String(tokens.at(-1)));
});
