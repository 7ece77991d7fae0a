import { expect, test } from "./harness/test";

test("the page comes from the server and asks nobody else @short", async ({ page, server }) => {
  const elsewhere: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url) && !/^(data|blob):/.test(request.url())) elsewhere.push(request.url());
  });
  await page.goto("/");
  await expect(page.getByRole("main")).toBeVisible();
  expect(elsewhere).toEqual([]);
});
