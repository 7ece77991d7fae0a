import type { Page } from "@playwright/test";
import { expect, test } from "./harness/test";

// A text that repeats itself would be written several times as fast with drafts as its beginning was.
test.use({ serverOptions: ["--set", "ui.developer=true", "--set", "speculation.enabled=false"] });

interface Chunk {
  error?: { message: string; code: string };
  choices?: { delta: { content?: string }; finish_reason: string | null }[];
}

/** Asks for a greedy answer, and returns its text, how it ended, and the error that came in its midst. */
async function stream(url: string, tokens: number): Promise<{ text: string; finish: string; error: string }> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      model: "smollm2",
      messages: [{ role: "user", content: "Tell me a long story about a river and a mountain." }],
      temperature: 0,
      max_tokens: tokens,
      stream: true,
      ignore_eos: true,
    }),
  });
  const answer = { text: "", finish: "", error: "" };
  for (const line of (await response.text()).split("\n")) {
    if (!line.startsWith("data: {")) continue;
    const chunk = JSON.parse(line.slice("data: ".length)) as Chunk;
    answer.error += chunk.error?.message ?? "";
    answer.text += chunk.choices?.[0]?.delta.content ?? "";
    answer.finish ||= chunk.choices?.[0]?.finish_reason ?? "";
  }
  return answer;
}

/** How many tokens this machine writes in some seconds: enough for something to happen in their midst. */
async function tokensOf(url: string, seconds: number): Promise<number> {
  await stream(url, 2);
  const began = Date.now();
  await stream(url, 12);
  const rate = (12 * 1000) / (Date.now() - began);
  return Math.round(Math.min(Math.max(rate * seconds, 60), 2000));
}

const tile = (page: Page, label: string) =>
  page.locator("dl > div").filter({ has: page.getByText(label, { exact: true }) });

test("metrics move while an answer is written, stop when paused, and are told without a picture as well @short", async ({
  page,
  server,
}) => {
  await page.goto("/ui/metrics");
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  const throughput = tile(page, "Throughput").first();
  const tokens = await tokensOf(server.url, 5);
  await expect(throughput).toContainText("0 tok/s");
  const answer = stream(server.url, tokens);
  await expect(throughput.locator("dd > span").first()).toHaveText(/[1-9]\d* tok\/s|[1-9]\.\d tok\/s/);
  await expect(tile(page, "Open requests").first()).toContainText("1");

  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("Paused", { exact: true })).toBeVisible();
  const frozen = await throughput.textContent();
  await answer;
  await page.waitForTimeout(2500);
  expect(await throughput.textContent()).toBe(frozen);
  await page.getByRole("button", { name: "Go on live" }).click();
  await expect(throughput).toContainText("0 tok/s");

  await page.getByRole("button", { name: "Show as a table" }).first().click();
  const row = page.getByRole("row", { name: /^Decode/ });
  await expect(row).toContainText("tok/s");
});

test("a chart zooms by dragging and shows all again; a longer range has an address", async ({ page }) => {
  await page.goto("/ui/metrics");
  const chart = page.locator(".u-over").first();
  await expect(chart).toBeVisible();
  const box = await chart.boundingBox();
  if (box === null) throw new Error("the chart has no place");
  await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 40, { steps: 5 });
  await page.mouse.up();
  const reset = page.getByRole("button", { name: "Reset zoom" });
  await expect(reset).toBeEnabled();
  await reset.click();
  await expect(reset).toBeDisabled();
  await page.getByRole("button", { name: "Zoom in on the latest half" }).click();
  await expect(reset).toBeEnabled();
  await page.getByRole("radio", { name: "2 h" }).click();
  await expect(page).toHaveURL(/range=2h/);
  await expect(reset).toBeDisabled();
});

test("a request is cancelled from its details, and its client is told once", async ({ page, server }) => {
  await page.goto("/ui/requests");
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  const answer = stream(server.url, 4000);
  await page.getByRole("link", { name: /Writing/ }).click();
  const detail = page.getByRole("article", { name: "Request" });
  await expect(detail).toContainText("POST /v1/chat/completions");
  await expect(detail).toContainText("max_tokens");
  await expect(detail).not.toContainText("river");
  await detail.getByRole("button", { name: "Cancel" }).click();
  await expect(detail).toContainText("Cancelled");
  expect((await answer).error).toBe("the request was cancelled by somebody who watches this server");
  await expect(detail.getByRole("button", { name: "Cancel" })).toHaveCount(0);
  await expect(detail).toContainText("Decode");
});

test("in developer mode the executor is killed, and the stream that it computed ends as without", async ({
  page,
  server,
}) => {
  test.slow();
  const tokens = await tokensOf(server.url, 6);
  const untouched = await stream(server.url, tokens);
  await page.goto("/ui/metrics");
  await expect(page.getByRole("button", { name: "Kill" })).toBeVisible();
  const answer = stream(server.url, tokens);
  const open = async () => /^mlxr_open_requests (\d+)/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1];
  await expect.poll(open, { intervals: [50] }).toBe("1");
  await page.getByRole("button", { name: "Kill" }).click();
  await expect(page.getByText(/is killed\. Its streams go on/)).toBeVisible();
  expect(await answer).toEqual(untouched);
  const executor = page.getByRole("row", { name: /^executor/ });
  await expect(executor).toContainText("killed by SIGKILL");
  await page.goto("/ui/requests");
  await expect(page.getByText("survived a restart").first()).toBeVisible();
  await page.goto("/ui/logs?level=warning");
  await expect(page.getByRole("log")).toContainText("is gone (killed by SIGKILL); restarting");
});

test("logs are narrowed by level and text, and follow what is written", async ({ page, server }) => {
  await page.goto("/ui/logs");
  const log = page.getByRole("log");
  await expect(log).toContainText("listening on");
  await page.getByLabel("Level").selectOption("error");
  await expect(page.getByText("No such line")).toBeVisible();
  await page.getByLabel("Level").selectOption("debug");
  await page.getByPlaceholder("Search in messages").fill("is LOADED");
  await expect(log).toContainText("is loaded");
  await expect(log).not.toContainText("listening on");
  await page.getByPlaceholder("Search in messages").fill("knows no field");
  await expect(page.getByText("No such line")).toBeVisible();
  await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "smollm2", messages: [{ role: "user", content: "a" }], max_tokens: 1, oddity: 1 }),
  });
  await expect(log).toContainText("oddity");
});

test("on a phone a request's details take the place of the list, and lead back @phone", async ({ page, server }) => {
  await stream(server.url, 5);
  await page.goto("/ui/requests");
  await page
    .getByRole("link", { name: /Finished/ })
    .first()
    .click();
  await expect(page.getByRole("article", { name: "Request" })).toBeVisible();
  await expect(page.getByPlaceholder("Search by model")).toBeHidden();
  await page.getByRole("link", { name: "Close the details" }).click();
  await expect(page.getByPlaceholder("Search by model")).toBeVisible();
  for (const path of ["/ui/metrics", "/ui/requests", "/ui/logs"]) {
    await page.goto(path);
    await expect(page.getByText("Live", { exact: true })).toBeVisible();
    const wider = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    expect(wider, path).toBe(false);
  }
});
