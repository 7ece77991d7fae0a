import { afterEach, expect, test, vi } from "vitest";
import { calculator } from "./calculator";
import { clock, timeIn } from "./clock";
import { fetchPage } from "./fetchPage";
import { pageText } from "./pageText";

const { signal } = new AbortController();

afterEach(() => vi.unstubAllGlobals());

const answers = (page: Record<string, unknown>) => {
  const asked = vi.fn(async (request: Request) => {
    await request.clone().json();
    return Response.json({
      url: "https://example.org/",
      status: 200,
      type: "text/html",
      text: "",
      error: "",
      truncated: false,
      ...page,
    });
  });
  vi.stubGlobal("fetch", asked);
  return asked;
};

test("the calculator gives sums as people write them, and asks for what is missing", async () => {
  expect(await calculator.run({ expression: "0.1 + 0.2" }, signal)).toBe("0.3");
  await expect(calculator.run({}, signal)).rejects.toThrow("`expression` is missing");
});

test("the clock knows zones by name, and says which it does not know", async () => {
  const now = new Date("2026-07-01T12:00:00Z");
  expect(timeIn("Asia/Tokyo", now)).toContain("21:00:00");
  expect(timeIn("Europe/Berlin", now)).toContain("Wednesday");
  expect(() => timeIn("Mars/Base", now)).toThrow("no time zone Mars/Base");
  expect(await clock.run({}, signal)).toMatch(/\d{4}-\d\d-\d\dT/);
});

test("a page's words are taken out of its HTML, without scripts, styles and menus", () => {
  const { title, text } = pageText(
    `<title>T</title><nav>Menu</nav><main><h2>Head</h2><p>One   <b>two</b></p><script>no()</script>
     <ul><li>a<li>b</ul><pre>x\n  y</pre><style>p{}</style><img src=x onerror="window.bad=1"></main>`,
  );
  expect(title).toBe("T");
  expect(text).toContain("## Head");
  expect(text).toContain("One two");
  expect(text).toMatch(/- a\s+- b/);
  expect(text).not.toMatch(/no\(\)|Menu|p\{\}/);
  expect((window as unknown as { bad?: number }).bad).toBeUndefined();
});

test("a long page is given in parts, and says how to read on", async () => {
  answers({ type: "text/plain", text: "abcdefghij" });
  const text = await fetchPage.run({ url: "https://example.org/", start: 2, length: 3 }, signal);
  expect(text).toContain("cde");
  expect(text).toContain("5 characters follow: ask for start 5.");
});

test("what went wrong with a page is the tool's failure, in the server's words", async () => {
  answers({ error: "example.org took too long" });
  await expect(fetchPage.run({ url: "https://example.org/" }, signal)).rejects.toThrow("example.org took too long");
});
