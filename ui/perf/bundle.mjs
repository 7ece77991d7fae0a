// Prints what the chat page loads first, with Brotli as the server sends it and with gzip as older browsers and those
// over plain http:// from elsewhere get it, and fails where either is beyond the limit.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const DIST = resolve(import.meta.dirname, "../../mlxr/http/ui/bundle/dist");
const LIMIT = 200_000;
/** What is loaded to show a new chat, by the sources that the build's manifest names. */
const ENTRIES = ["index.html", "src/features/chat/NewChatPage.tsx", "src/features/chat/sidebar/ChatList.tsx"];

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
const total = { brotli: 0, gzip: 0 };
for (const file of files) {
  const body = readFileSync(join(DIST, file));
  const sizes = { brotli: brotliCompressSync(body).length, gzip: gzipSync(body, { level: 9 }).length };
  total.brotli += sizes.brotli;
  total.gzip += sizes.gzip;
  process.stdout.write(`${String(sizes.brotli).padStart(8)} ${String(sizes.gzip).padStart(8)}  ${file}\n`);
}
process.stdout.write(`${total.brotli} bytes with Brotli, ${total.gzip} with gzip, of ${LIMIT} each\n`);
process.exitCode = Math.max(total.brotli, total.gzip) > LIMIT ? 1 : 0;
