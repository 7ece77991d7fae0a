// Renders public/icon.svg into the PNGs that the manifest names: node scripts/icons.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { chromium } from "@playwright/test";

const PUBLIC = resolve(import.meta.dirname, "../public");
const svg = readFileSync(resolve(PUBLIC, "icon.svg"), "utf8");
// A maskable icon fills its square: systems cut it, and leave four fifths of it for sure.
const square = svg.replace(' rx="15"', "");
const inner = (scale) =>
  square
    .replace("<path", `<g transform="translate(32 32) scale(${scale}) translate(-32 -32)"><path`)
    .replace("</svg>", "</g></svg>");
const ICONS = [
  ["192.png", 192, svg],
  ["512.png", 512, svg],
  ["maskable-512.png", 512, inner(0.82)],
  ["apple-180.png", 180, inner(0.9)],
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
for (const [name, size, source] of ICONS) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>*{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${source}`);
  writeFileSync(resolve(PUBLIC, "icons", name), await page.screenshot({ omitBackground: true }));
  await page.close();
}
await browser.close();
