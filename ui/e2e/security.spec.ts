import { expect, test } from "./harness/test";

test("the policy lets no inline script and no other host in", async ({ page, complaints }) => {
  const response = await page.goto("/");
  const policy = response?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain("unsafe");
  const refused = await page.evaluate(async () => {
    const heard: string[] = [];
    document.addEventListener("securitypolicyviolation", (event) => heard.push(event.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.broken = 1";
    document.body.append(script);
    const image = document.createElement("div");
    image.innerHTML = '<img src="x" onerror="window.broken = 2">';
    document.body.append(image);
    await fetch("https://example.org/").catch(() => {});
    await new Promise((after) => setTimeout(after, 300));
    return { heard, broken: "broken" in window };
  });
  expect(refused.broken).toBe(false);
  expect(refused.heard).toContain("script-src-elem");
  expect(refused.heard).toContain("connect-src");
  // What the browser said of it is what was wanted; nothing got out.
  expect(complaints.length).toBeGreaterThan(0);
  complaints.length = 0;
});

test("a page elsewhere can't show this one in a frame", async ({ page, server }) => {
  await page.route("http://localhost:9/", (route) =>
    route.fulfill({ contentType: "text/html", body: `<iframe src="${server.url}/"></iframe>` }),
  );
  await page.goto("http://localhost:9/");
  await page.waitForTimeout(500);
  expect(await page.frames()[1]?.locator("main").count()).toBe(0);
});

test("the page of the API obeys the policy, and works", async ({ page }) => {
  await page.goto("/docs");
  await expect(page.getByText("/api/ui/settings").first()).toBeVisible();
});

test("the application is installable, and opens while the server is away", async ({ page, server, context }) => {
  await page.goto("/ui/settings");
  const manifest = await (await page.request.get("/ui/manifest.webmanifest")).json();
  expect(manifest.start_url).toBe("/");
  for (const { src } of manifest.icons) expect((await page.request.get(`/ui/${src}`)).status()).toBe(200);
  await page.evaluate(() => navigator.serviceWorker.ready);
  const kept = await page.evaluate(async () => {
    const paths: string[] = [];
    for (const name of await caches.keys())
      for (const { url } of await (await caches.open(name)).keys()) paths.push(new URL(url).pathname);
    return paths;
  });
  expect(kept).toContain("/ui/");
  expect(kept.filter((path) => !path.startsWith("/ui/"))).toEqual([]);
  await server.kill();
  await page.goto("/ui/settings");
  await expect(page.getByRole("heading", { name: "Appearance" })).toBeVisible();
  await expect(page.getByText("The server can't be reached.").first()).toBeVisible();
  await page.goto("/");
  await expect(page.getByRole("main")).toBeVisible();
  await server.up("smollm2");
  await expect(page.getByText("What is here stays")).toHaveCount(0);
  expect(await context.cookies()).toEqual([]);
});
