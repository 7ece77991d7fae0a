/// <reference types="vitest/config" />
import { resolve } from "node:path";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compressed } from "./plugins/compress";
import { serviceWorker } from "./plugins/serviceWorker";

const server = process.env.MLXR_URL ?? "http://127.0.0.1:11435";

export default defineConfig(({ command }) => ({
  // The pages live at / and /ui/...: /models, /metrics and others are the API's.
  base: command === "build" ? "/ui/" : "/",
  plugins: [react(), tailwindcss(), serviceWorker(), compressed()],
  resolve: { alias: { "@": resolve(import.meta.dirname, "src") } },
  server: { host: "127.0.0.1", proxy: { "/api": server, "/v1": server, "/openapi.json": server, "/health": server } },
  build: {
    outDir: "../mlxr/http/ui/bundle/dist",
    emptyOutDir: true,
    target: "es2022",
    // The policy allows neither data: fonts nor inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: true,
    rollupOptions: {
      input: { index: "index.html", sw: "src/pwa/sw.ts" },
      // A service worker has one name for ever; its content says which build it is of.
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  worker: { format: "es" },
  test: {
    // A busy machine takes its time over what people type.
    testTimeout: 60_000,
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/testing/setup.ts"],
    css: false,
    maxWorkers: 2,
  },
}));
