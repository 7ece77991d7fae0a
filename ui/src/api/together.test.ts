import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { followTogether } from "./together";

let server: Server | undefined;

/** Tabs that have the lock. */
let holders = 0;

/** Locks as a browser has them for all its tabs: one holder, and the others in a row. */
function oneLock() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    request: (_: string, { signal }: { signal: AbortSignal }, hold: () => Promise<void>) => {
      const turn = last.then(async () => {
        signal.throwIfAborted();
        holders += 1;
        await hold().finally(() => {
          holders -= 1;
        });
      });
      last = turn.catch(() => {});
      return turn;
    },
  };
}

/** A server of one feed. Returns its address, after which event each asked, and how many are connected. */
async function feed() {
  const asked: (string | undefined)[] = [];
  const connected = new Set<object>();
  const listening = createServer((request, response) => {
    asked.push(request.headers["last-event-id"] as string | undefined);
    connected.add(response);
    response.on("close", () => connected.delete(response));
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    setTimeout(() => response.write(`id: ${asked.length}\ndata: ${asked.length}\n\n`), 50);
  });
  server = listening;
  await new Promise<void>((done) => listening.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/feed`, asked, connected };
}

function hide(hidden: boolean) {
  vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
  document.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => vi.stubGlobal("navigator", { ...navigator, locks: oneLock() }));
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("tabs share one connection, and when its holder goes another takes it up after the last event", async () => {
  const { url, asked } = await feed();
  const heard: string[][] = [[], []];
  const [leave, leaveOther] = heard.map((each) => followTogether(url, ({ data }) => each.push(data)));
  await vi.waitFor(() => expect(heard).toEqual([["1"], ["1"]]));
  expect(asked).toEqual([undefined]);
  leave?.();
  await vi.waitFor(() => expect(heard).toEqual([["1"], ["1", "2"]]));
  expect(asked).toEqual([undefined, "1"]);
  leaveOther?.();
});

test("a tab that is hidden by its turn leaves it to the others until it is seen", async () => {
  const { url, asked } = await feed();
  const heard: string[] = [];
  const leave = followTogether(url, () => {});
  const leaveOther = followTogether(url, ({ data }) => heard.push(data));
  await vi.waitFor(() => expect(heard).toEqual(["1"]));
  hide(true);
  leave();
  await new Promise((done) => setTimeout(done, 100));
  expect(holders).toBe(0);
  hide(false);
  await vi.waitFor(() => expect(heard).toEqual(["1", "2"]));
  expect(asked).toEqual([undefined, "1"]);
  leaveOther();
});

test("a page that is left lets go of the connection, and takes it up when it is come back to", async () => {
  const { url, asked, connected } = await feed();
  const heard: string[] = [];
  const leave = followTogether(url, ({ data }) => heard.push(data));
  await vi.waitFor(() => expect(heard).toEqual(["1"]));
  window.dispatchEvent(new Event("pagehide"));
  await vi.waitFor(() => expect(connected.size).toBe(0));
  await new Promise((done) => setTimeout(done, 100));
  expect(asked).toHaveLength(1);
  window.dispatchEvent(new Event("pageshow"));
  await vi.waitFor(() => expect(heard).toEqual(["1", "2"]));
  leave();
});

test("a tab follows alone where the browser refuses its locks", async () => {
  const { url, connected } = await feed();
  const request = vi.fn(() => Promise.reject(new Error("refused")));
  vi.stubGlobal("navigator", { ...navigator, locks: { request } });
  const heard: string[] = [];
  const leave = followTogether(url, ({ data }) => heard.push(data));
  await vi.waitFor(() => expect(heard).toEqual(["1"]));
  expect(request).toHaveBeenCalledOnce();
  leave();
  await vi.waitFor(() => expect(connected.size).toBe(0));
});
