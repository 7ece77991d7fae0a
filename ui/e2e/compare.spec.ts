import { shortChat } from "./harness/chat";
import { expect, test } from "./harness/test";

test("two models answer side by side, and one is gone on with", async ({ page, server }) => {
  await fetch(`${server.url}/api/copy`, {
    method: "POST",
    body: JSON.stringify({ source: "smollm2", destination: "twin" }),
    headers: { "Content-Type": "application/json" },
  });
  await shortChat(page, server, "", { max_tokens: 12 });
  await page.getByRole("button", { name: "Compare with another model" }).click();
  await page.getByRole("menuitem", { name: "twin" }).click();
  await page.getByRole("textbox", { name: "Message" }).fill("Name a colour");
  await page.getByRole("button", { name: "Send" }).click();
  const both = page.getByRole("region", { name: "Answers side by side" });
  await expect(both.getByRole("article", { name: "Answer of smollm2" }).locator(".markdown")).not.toBeEmpty();
  await expect(both.getByRole("article", { name: "Answer of twin" }).locator(".markdown")).not.toBeEmpty();
  const twin = both.getByRole("article", { name: "Answer of twin" });
  const own = both.getByRole("article", { name: "Answer of smollm2" });
  await own.getByRole("button", { name: "Answer again" }).click();
  await expect(own.getByText("2/2")).toBeVisible();
  await own.getByRole("button", { name: "Previous branch" }).click();
  await expect(own.getByText("1/2")).toBeVisible();
  await expect(twin.getByRole("button", { name: "Next branch" })).toHaveCount(0);
  await twin.getByRole("button", { name: "Go on with this one" }).click();
  await expect(both).toBeHidden();
  await expect(page.getByRole("heading", { name: "Answer of twin" })).toBeVisible();
});
