import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve } from "node:path";

const DIST = resolve(import.meta.dirname, "../../mlxr/http/ui/bundle/dist");
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
const MODEL = { name: "synthetic", size: 1e9, digest: "0", modified_at: "", capabilities: ["completion"] };
const DETAILS = { format: "gguf", family: "llama", parameter_size: "1B", quantization_level: "Q4_0" };

/** Serves the built pages, and one chat of `turns`, whose last answer streams in as `words` at `rate` a second. */
export async function serve({ turns, words, rate }) {
  const chat = {
    id: "c",
    title: "A long chat",
    created: 0,
    updated: 1,
    version: 1,
    leaf: turns.at(-1).id,
    model: MODEL.name,
    running: 1,
  };
  const json = {
    "/health": { status: "ok" },
    "/api/tags": { models: [{ ...MODEL, details: DETAILS }] },
    "/api/ps": { models: [{ ...MODEL, context_length: 131_072, expires_at: "", pinned: false }] },
    "/api/ui/chats": { chats: [chat], next: null },
    "/api/ui/folders": { folders: [] },
  };
  let begin = () => {};
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname.endsWith("/events")) {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write(": here\n\n");
      if (pathname !== "/api/ui/chats/c/events") return;
      response.write(`id: 0\nevent: snapshot\ndata: ${JSON.stringify({ chat, messages: turns })}\n\n`);
      begin = () => stream(response, turns.at(-1).id, words, rate);
    } else if (json[pathname] !== undefined) {
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(json[pathname]));
    } else {
      send(response, pathname);
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    begin: () => begin(),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Sends a word an event, as many as are due every few milliseconds. */
function stream(response, message, words, rate) {
  const began = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.min(words.length, Math.floor(((performance.now() - began) / 1000) * rate));
    for (; sent < due; sent += 1) {
      const delta = { message, start: sent, tokens: sent + 1, text: words[sent] };
      response.write(`id: ${sent + 1}\nevent: delta\ndata: ${JSON.stringify(delta)}\n\n`);
    }
    if (sent === words.length) clearInterval(timer);
  }, 5);
  response.on("close", () => clearInterval(timer));
}

function send(response, pathname) {
  const name = pathname.startsWith("/ui/") && extname(pathname) !== "" ? pathname.slice(4) : "index.html";
  try {
    const body = readFileSync(join(DIST, name));
    response
      .writeHead(200, {
        "Content-Type": TYPES[extname(name)] ?? "application/octet-stream",
        "Content-Security-Policy": POLICY,
        "Service-Worker-Allowed": "/",
      })
      .end(body);
  } catch {
    response.writeHead(404).end();
  }
}
