import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { followTogether, type SharedFeed } from "./together";

let server: Server | undefined;

/** Tabs that have the lock. */
let holders = 0;

const aborted = () => new DOMException("aborted", "AbortError");

interface Wanted {
  hold: () => Promise<void>;
  done: () => void;
  refuse: (reason: unknown) => void;
}

/** Locks as a browser has them for all its tabs: one holder, whose turn may be taken away, and the others in a row. */
function oneLock() {
  const row: Wanted[] = [];
  let holder: Wanted | undefined;
  const next = () => {
    const one = row.shift();
    holder = one;
    if (one === undefined) return;
    holders += 1;
    void one.hold().then(() => {
      if (holder !== one) return;
      holders -= 1;
      one.done();
      next();
    });
  };
  return {
    request: (_: string, { signal, steal }: { signal?: AbortSignal; steal?: boolean }, hold: Wanted["hold"]) =>
      new Promise<void>((done, refuse) => {
        const wanted = { hold, done, refuse };
        signal?.addEventListener("abort", () => {
          const at = row.indexOf(wanted);
          if (at < 0) return;
          row.splice(at, 1);
          refuse(aborted());
        });
        if (steal === true && holder !== undefined) {
          holders -= 1;
          holder.refuse(aborted());
          holder = undefined;
          row.unshift(wanted);
        } else row.push(wanted);
        if (holder === undefined) queueMicrotask(() => holder === undefined && next());
      }),
  };
}

const feedOf = (onEvent: SharedFeed["onEvent"], onMissed = () => {}): SharedFeed => ({ onEvent, onMissed });

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
  vi.useRealTimers();
  server?.closeAllConnections();
  server?.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("tabs share one connection, and when its holder goes another takes it up after the last event", async () => {
  const { url, asked } = await feed();
  const heard: string[][] = [[], []];
  const [leave, leaveOther] = heard.map((each) =>
    followTogether(
      url,
      feedOf(({ data }) => each.push(data)),
    ),
  );
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
  const leave = followTogether(
    url,
    feedOf(() => {}),
  );
  const leaveOther = followTogether(
    url,
    feedOf(({ data }) => heard.push(data)),
  );
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
  const leave = followTogether(
    url,
    feedOf(({ data }) => heard.push(data)),
  );
  await vi.waitFor(() => expect(heard).toEqual(["1"]));
  window.dispatchEvent(new Event("pagehide"));
  await vi.waitFor(() => expect(connected.size).toBe(0));
  await new Promise((done) => setTimeout(done, 100));
  expect(asked).toHaveLength(1);
  window.dispatchEvent(new Event("pageshow"));
  await vi.waitFor(() => expect(heard).toEqual(["1", "2"]));
  leave();
});

const inTruth = setTimeout;

/** Lets seconds pass in which tabs hear each other. */
async function pass(seconds: number) {
  for (let second = 0; second < seconds; second += 1) {
    await vi.advanceTimersByTimeAsync(1_000);
    await new Promise((done) => inTruth(done, 5));
  }
}

/** Has the tab that follows next live in a browser that freezes it: what it is told it hears when it is thawed. */
function freezable() {
  const real = BroadcastChannel;
  let thaw: (() => void) | undefined;
  class Freezable extends real {
    private readonly waiting: MessageEvent[] = [];
    private heard: ((event: MessageEvent) => void) | null = null;
    private frozen = false;
    constructor(name: string) {
      super(name);
      super.onmessage = (event) => (this.frozen ? void this.waiting.push(event) : this.heard?.(event));
      freeze = () => {
        this.frozen = true;
      };
      thaw = () => {
        this.frozen = false;
        for (const event of this.waiting.splice(0)) this.heard?.(event);
      };
    }
    override set onmessage(heard: ((event: MessageEvent) => void) | null) {
      this.heard = heard;
    }
  }
  let freeze = () => {};
  vi.stubGlobal("BroadcastChannel", Freezable);
  return {
    freeze: () => freeze(),
    thaw: () => thaw?.(),
    done: () => vi.stubGlobal("BroadcastChannel", real),
  };
}

test("where the tab that leads is frozen another takes its turn, and it follows again when it is thawed", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  const { url, asked } = await feed();
  const heard: string[] = [];
  const heardOther: string[] = [];
  const browser = freezable();
  const leave = followTogether(
    url,
    feedOf(({ data }) => heard.push(data)),
  );
  browser.done();
  const leaveOther = followTogether(
    url,
    feedOf(({ data }) => heardOther.push(data)),
  );
  await pass(20);
  expect([asked, heardOther]).toEqual([[undefined], ["1"]]);
  browser.freeze();
  await pass(9);
  expect([asked, heardOther]).toEqual([
    [undefined, "1"],
    ["1", "2"],
  ]);
  expect([heard, holders]).toEqual([["1"], 1]);
  browser.thaw();
  expect(heard).toEqual(["1", "2"]);
  await pass(20);
  expect(asked).toHaveLength(2);
  leave();
  leaveOther();
});

test("a tab that has missed what the others were told reads again", async () => {
  const { url } = await feed();
  const channel = new BroadcastChannel(`mlxr.feed ${url}`);
  await navigator.locks.request("", { steal: true } as LockOptions, async () => {});
  void navigator.locks.request("", {}, () => new Promise(() => {}));
  const missed = vi.fn();
  const heard: string[] = [];
  const leave = followTogether(
    url,
    feedOf(({ data }) => heard.push(data), missed),
  );
  const tell = (note: object) => channel.postMessage({ from: "leader", ...note });
  tell({ told: { name: "message", data: "a", id: "1" } });
  tell({ leads: true, last: "1" });
  await vi.waitFor(() => expect(heard).toEqual(["a"]));
  expect(missed).not.toHaveBeenCalled();
  tell({ leads: true, last: "3" });
  await vi.waitFor(() => expect(missed).toHaveBeenCalledOnce());
  // What one tells whose turn is over is old.
  channel.postMessage({ from: "former", told: { name: "message", data: "old", id: "2" } });
  tell({ told: { name: "message", data: "b", id: "4" } });
  await vi.waitFor(() => expect(heard).toEqual(["a", "b"]));
  leave();
  channel.close();
});

test("a tab that was held up itself takes nobody's turn", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  const { url } = await feed();
  const leave = followTogether(
    url,
    feedOf(() => {}),
  );
  await pass(20);
  const request = vi.spyOn(navigator.locks, "request");
  const browser = freezable();
  const leaveOther = followTogether(
    url,
    feedOf(() => {}),
  );
  browser.done();
  browser.freeze();
  await new Promise((done) => inTruth(done, 20));
  // However long that was, what is due then runs once before it hears what the others have said.
  vi.advanceTimersToNextTimer();
  browser.thaw();
  await pass(10);
  expect(request).toHaveBeenCalledOnce();
  leave();
  leaveOther();
});

test("the tab that leads listens to none that does not know yet that its turn is over", async () => {
  const { url } = await feed();
  const missed = vi.fn();
  const heard: string[] = [];
  const leave = followTogether(
    url,
    feedOf(({ data }) => heard.push(data), missed),
  );
  await vi.waitFor(() => expect(heard).toEqual(["1"]));
  const former = new BroadcastChannel(`mlxr.feed ${url}`);
  const say = (note: object) => former.postMessage({ from: "former", ...note });
  const answer = new Promise((answered) => {
    former.onmessage = answered;
  });
  say({ leads: true, last: "0" });
  say({ told: { name: "message", data: "old", id: "0" } });
  say({ asks: true });
  await answer;
  expect(heard).toEqual(["1"]);
  expect(missed).not.toHaveBeenCalled();
  leave();
  former.close();
});

test("a tab follows alone where the browser refuses its locks", async () => {
  const { url, connected } = await feed();
  const request = vi.fn(() => Promise.reject(new Error("refused")));
  vi.stubGlobal("navigator", { ...navigator, locks: { request } });
  const heard: string[] = [];
  const leave = followTogether(
    url,
    feedOf(({ data }) => heard.push(data)),
  );
  await vi.waitFor(() => expect(heard).toEqual(["1"]));
  expect(request).toHaveBeenCalledOnce();
  leave();
  await vi.waitFor(() => expect(connected.size).toBe(0));
});
