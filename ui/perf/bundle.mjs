// Prints what the chat page loads first, compressed as the server sends it, and fails beyond the limit.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const DIST = resolve(import.meta.dirname, "../../mlxr/http/ui/bundle/dist");
const LIMIT = 200_000;
/** What is loaded to show a chat, by the sources that the build's manifest names. */
const ENTRIES = ["index.html", "src/features/chat/ChatPage.tsx", "src/features/chat/sidebar/ChatList.tsx"];

const manifest = JSON.parse(readFileSync(join(DIST, ".vite/manifest.json"), "utf8"));
const files = new Set(["index.html", "theme.js"]);

function add(name) {
  const chunk = manifest[name];
  if (chunk === undefined) throw new Error(`the manifest has no ${name}: build first, with npm run build`);
  if (files.has(chunk.file)) return;
  for (const file of [chunk.file, ...(chunk.css ?? [])]) files.add(file);
  for (const imported of chunk.imports ?? []) add(imported);
}

for (const entry of ENTRIES) add(entry);
let total = 0;
for (const file of files) {
  const size = gzipSync(readFileSync(join(DIST, file)), { level: 9 }).length;
  total += size;
  process.stdout.write(`${String(size).padStart(8)}  ${file}\n`);
}
process.stdout.write(`${String(total).padStart(8)}  in all, of ${LIMIT} bytes\n`);
process.exitCode = total > LIMIT ? 1 : 0;
