// Measures the chat page while an answer streams into a long chat: frames, layout shifts, interactions to next paint.
// It fails where an interaction took too long, or something jumped: frames are the machine's as well, and only told.
// npm run perf -- [tokens of the chat] [tokens a second] [seconds]
import { existsSync } from "node:fs";
import { chromium } from "@playwright/test";
import { quantile, record } from "./measure.mjs";
import { serve } from "./server.mjs";
import { chatOf, markdown, tokensOf } from "./text.mjs";

const MOST_INTERACTION_MS = 100;
/** What Web Vitals call good, in all; rows that come into sight for the first time are measured then. */
const MOST_SHIFT = 0.1;
const MOST_FOLLOWING_SHIFT = 0.001;

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

// Half of the time somebody types, then scrolls up and comes back.
const composer = page.getByRole("textbox", { name: "Message" });
await composer.click();
await composer.pressSequentially("typed while it streams ".repeat(8), { delay: (seconds * 500) / 184 });
const distance = () => thread.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);
const stuck = await distance();
await page.evaluate(() => {
  globalThis.figures.follows = false;
});
await thread.hover();
await page.mouse.wheel(0, -3000);
await page.waitForTimeout(1000);
const before = await thread.evaluate((element) => element.scrollTop);
await page.waitForTimeout(1000);
const moved = (await thread.evaluate((element) => element.scrollTop)) - before;
await page.getByRole("button", { name: "Go to the end" }).click();
await page.waitForTimeout(Math.max(0, seconds * 500 - 2000));
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
print("cumulative layout shift, in all", figures.shift.toFixed(4));
print("cumulative layout shift while following", figures.followingShift.toFixed(4));
print("last row moved while following, px, most", figures.jump.toFixed(1));
print("from the end while following, px", stuck.toFixed(0));
print("moved while scrolled away, px", moved.toFixed(0));
print("from the end after jumping back, px", back.toFixed(0));
print("complaints", complaints.length === 0 ? "none" : complaints.join("; "));
const jumps = figures.shift > MOST_SHIFT || figures.followingShift > MOST_FOLLOWING_SHIFT;
process.exitCode = inp > MOST_INTERACTION_MS || jumps || complaints.length > 0 ? 1 : 0;
