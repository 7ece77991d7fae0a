import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { followTogether } from "./together";

let server: Server | undefined;

/** Locks as a browser has them for all its tabs: one holder, and the others in a row. */
function oneLock() {
  let last: Promise<unknown> = Promise.resolve();
  return {
    request: (_: string, { signal }: { signal: AbortSignal }, hold: () => Promise<void>) => {
      const turn = last.then(() => (signal.aborted ? Promise.reject(signal.reason) : hold()));
      last = turn.catch(() => {});
      return turn;
    },
  };
}

beforeEach(() => vi.stubGlobal("navigator", { ...navigator, locks: oneLock() }));
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  vi.unstubAllGlobals();
});

test("tabs share one connection, and when its holder goes another takes it up after the last event", async () => {
  const asked: (string | undefined)[] = [];
  const listening = createServer((request, response) => {
    asked.push(request.headers["last-event-id"] as string | undefined);
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    setTimeout(() => response.write(`id: ${asked.length}\ndata: ${asked.length}\n\n`), 50);
  });
  server = listening;
  await new Promise<void>((done) => listening.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}/feed`;
  const heard: string[][] = [[], []];
  const [leave, leaveOther] = heard.map((each) => followTogether(url, ({ data }) => each.push(data)));
  await vi.waitFor(() => expect(heard).toEqual([["1"], ["1"]]));
  expect(asked).toEqual([undefined]);
  leave?.();
  await vi.waitFor(() => expect(heard).toEqual([["1"], ["1", "2"]]));
  expect(asked).toEqual([undefined, "1"]);
  leaveOther?.();
});
