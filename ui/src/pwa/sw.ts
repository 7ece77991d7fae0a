// The service worker: the application opens where the server is down or away. It keeps the files of one build, and
// nothing of the API, which it does not even see. Pages come from the server wherever that answers, so that nobody is
// left with an old version; files whose names change with their content come from what is kept.
const worker = globalThis as unknown as ServiceWorkerGlobalScope;

/** The files of this build below /ui/, and a name for them all: plugins/serviceWorker.ts puts both in. */
declare const __BUILD_FILES__: readonly string[];
declare const __BUILD_NAME__: string;

const PREFIX = "mlxr-";
const CACHE = PREFIX + __BUILD_NAME__;
const PAGE = "/ui/";
const PAGE_MS = 4000;
/** What is kept was asked for with other headers than the page asks with. */
const ANY_FORM = { ignoreVary: true };

worker.addEventListener("install", (event) => event.waitUntil(fill()));
worker.addEventListener("activate", (event) => event.waitUntil(takeOver()));
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== worker.location.origin) return;
  const isOurs = pathname === "/" || pathname === "/ui" || pathname.startsWith("/ui/");
  if (!isOurs || pathname === "/ui/sw.js") return;
  if (request.mode === "navigate") event.respondWith(fromServer(request, PAGE));
  else if (pathname.startsWith("/ui/assets/")) event.respondWith(fromCache(request));
  else if (pathname !== "/") event.respondWith(fromServer(request, pathname));
});

async function fill(): Promise<void> {
  const cache = await caches.open(CACHE);
  await Promise.all(
    [PAGE, ...__BUILD_FILES__.map((file) => PAGE + file)].map(async (path) => {
      const kept = path.startsWith("/ui/assets/") ? await caches.match(path, ANY_FORM) : undefined;
      const response = kept ?? (await fetch(path, { cache: "no-cache", headers: { Accept: "text/html,*/*" } }));
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      await cache.put(path, response);
    }),
  );
}

async function takeOver(): Promise<void> {
  for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
  await worker.clients.claim();
}

async function fromServer(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    return await fetch(request, { signal: AbortSignal.timeout(PAGE_MS) });
  } catch (error) {
    const kept = await cache.match(path, ANY_FORM);
    if (kept === undefined) throw error;
    return kept;
  }
}

async function fromCache(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, ANY_FORM)) ?? fetch(request);
}
