// Measures the chat page while an answer streams into a long chat: frames, layout shifts, interactions to next paint.
// It fails where an interaction took too long, or something jumped: frames are the machine's as well, and only told.
// npm run perf -- [tokens of the chat] [tokens a second] [seconds]
import { existsSync } from "node:fs";
import { chromium } from "@playwright/test";
import { quantile, record } from "./measure.mjs";
import { serve } from "./server.mjs";
import { chatOf, markdown, tokensOf } from "./text.mjs";

const MOST_INTERACTION_MS = 100;
/** What Web Vitals call good. Chromium counts some rows as shifted that are painted where they were, where the list
 * grows and scrolls in the same frame: that the page follows is seen by the last row. */
const MOST_SHIFT = 0.1;
/** In pixels: the last row is painted where it was. */
const MOST_JUMP = 1;
/** How long after a press or a key shifts are put down to it, in milliseconds. */
const RECENT_MS = 500;

const [tokens = 100_000, rate = 300, seconds = 15] = process.argv.slice(2).map(Number);
const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
const server = await serve({ turns: chatOf(tokens), words: tokensOf(markdown(rate * (seconds + 5) * 4)), rate });
const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
const complaints = [];
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(error.message));

const opened = performance.now();
await page.goto(`${server.url}/ui/chats/c`);
const thread = page.getByRole("region", { name: "Conversation" });
await thread.waitFor();
const shown = performance.now() - opened;
await page.waitForTimeout(1500);
await page.evaluate(record);
server.begin();

const doing = (phase) =>
  page.evaluate((now) => {
    globalThis.figures.phase = now;
  }, phase);

// Somebody reads along, then types, then scrolls up, comes back, and reads along again.
await page.waitForTimeout(seconds * 200);
await doing("types");
const composer = page.getByRole("textbox", { name: "Message" });
await composer.click();
await composer.pressSequentially("typed while it streams ".repeat(8), { delay: (seconds * 300) / 184 });
const distance = () => thread.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);
const stuck = await distance();
await doing("scrolls");
await thread.hover();
await page.mouse.wheel(0, -3000);
await page.waitForTimeout(1000);
const before = await thread.evaluate((element) => element.scrollTop);
await page.waitForTimeout(1000);
const moved = (await thread.evaluate((element) => element.scrollTop)) - before;
await page.getByRole("button", { name: "Go to the end" }).click();
await page.waitForTimeout(RECENT_MS);
await doing("follows");
await page.waitForTimeout(Math.max(RECENT_MS, seconds * 500 - 2000 - RECENT_MS));
const figures = await page.evaluate(() => globalThis.figures);
const back = await distance();
await browser.close();
server.close();

const frames = figures.frames.slice(2);
const late = frames.filter((frame) => frame > 25).length;
const inp = quantile(
  figures.interactions.map(({ duration }) => duration),
  0.98,
);
const print = (name, value) => process.stdout.write(`${name.padEnd(44)} ${value}\n`);
print("chat, tokens", tokens);
print("shown after, ms", shown.toFixed(0));
print("frames a second, mean", (1000 / (frames.reduce((sum, frame) => sum + frame, 0) / frames.length)).toFixed(1));
print(
  "frame, ms: median, 95 %, 99 %, longest",
  [0.5, 0.95, 0.99, 1].map((part) => quantile(frames, part).toFixed(1)).join(", "),
);
print("frames later than 25 ms, of all", `${late} of ${frames.length}`);
print("long tasks, ms", figures.longTasks.map((task) => task.toFixed(0)).join(", ") || "none");
print("interaction to next paint, 98 %, ms", `${inp} of ${figures.interactions.length} interactions`);
print("cumulative layout shift while following", figures.shifts.follows.toFixed(4));
print("cumulative layout shift while typing", figures.shifts.types.toFixed(4));
print("cumulative layout shift while scrolling", figures.shifts.scrolls.toFixed(4));
for (const { told } of figures.shifted.toSorted((a, b) => b.value - a.value).slice(0, 5)) print("  of that", told);
print("last row moved while following, px, most", figures.jump.toFixed(1));
print("from the end while following, px", stuck.toFixed(0));
print("moved while scrolled away, px", moved.toFixed(0));
print("from the end after jumping back, px", back.toFixed(0));
print("complaints", complaints.length === 0 ? "none" : complaints.join("; "));
const jumps = figures.jump >= MOST_JUMP || Object.values(figures.shifts).some((shift) => shift > MOST_SHIFT);
process.exitCode = inp > MOST_INTERACTION_MS || jumps || complaints.length > 0 ? 1 : 0;
