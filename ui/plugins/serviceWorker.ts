import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import type { Plugin } from "vite";

/** What is kept for when the server is away: not the older forms of fonts, which no browser of today asks for. */
const KEPT = /\.(js|css|woff2)$/;

/** Tells the service worker which files there are, so that a build that differs makes another worker. */
export function serviceWorker(): Plugin {
  let publicFolder = "";
  return {
    name: "mlxr-service-worker",
    apply: "build",
    enforce: "post",
    configResolved(config) {
      publicFolder = config.publicDir;
    },
    generateBundle(_, bundle) {
      const worker = bundle["sw.js"];
      if (worker?.type !== "chunk") throw new Error("the build has no service worker");
      const made = Object.keys(bundle).filter((name) => name.startsWith("assets/") && KEPT.test(name));
      const files = [...made, ...filesBelow(publicFolder)].sort();
      const name = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 12);
      worker.code = worker.code
        .replaceAll("__BUILD_FILES__", JSON.stringify(files))
        .replaceAll("__BUILD_NAME__", JSON.stringify(name));
    },
  };
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
