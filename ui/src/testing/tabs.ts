import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, vi } from "vitest";
import type { SharedFeed } from "@/api/sharedFeed";

const inTruth = setTimeout;
const aborted = () => new DOMException("aborted", "AbortError");

interface Wanted {
  hold: () => Promise<void>;
  done: () => void;
  refuse: (reason: unknown) => void;
}

/** Locks as a browser has them for all its tabs: one holder, whose turn may be taken away, and the others in a row. */
class OneLock {
  /** Tabs that have the lock. */
  holders = 0;
  private readonly row: Wanted[] = [];
  private holder: Wanted | undefined;

  readonly request = (_: string, { signal, steal }: { signal?: AbortSignal; steal?: boolean }, hold: Wanted["hold"]) =>
    new Promise<void>((done, refuse) => {
      const wanted = { hold, done, refuse };
      signal?.addEventListener("abort", () => {
        const at = this.row.indexOf(wanted);
        if (at < 0) return;
        this.row.splice(at, 1);
        refuse(aborted());
      });
      if (steal === true && this.holder !== undefined) {
        this.holders -= 1;
        this.holder.refuse(aborted());
        this.holder = undefined;
        this.row.unshift(wanted);
      } else this.row.push(wanted);
      if (this.holder === undefined) queueMicrotask(() => this.holder === undefined && this.next());
    });

  private next(): void {
    const one = this.row.shift();
    this.holder = one;
    if (one === undefined) return;
    this.holders += 1;
    void one.hold().then(() => {
      if (this.holder !== one) return;
      this.holders -= 1;
      one.done();
      this.next();
    });
  }
}

/** Gives each test of a file a browser whose tabs have locks together, and servers that end with it. */
export function browserOfTabs() {
  let locks = new OneLock();
  const servers: Server[] = [];
  beforeEach(() => {
    locks = new OneLock();
    vi.stubGlobal("navigator", { ...navigator, locks });
  });
  afterEach(() => {
    vi.useRealTimers();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
  return {
    /** How many tabs have the lock. */
    holders: () => locks.holders,
    /** Starts a server of one feed. Returns its address, after which event each asked, and who is connected. */
    feed: async () => {
      const asked: (string | undefined)[] = [];
      const connected = new Set<object>();
      const server = createServer((request, response) => {
        asked.push(request.headers["last-event-id"] as string | undefined);
        connected.add(response);
        response.on("close", () => connected.delete(response));
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        setTimeout(() => response.write(`id: ${asked.length}\ndata: ${asked.length}\n\n`), 50);
      });
      servers.push(server);
      await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
      return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/feed`, asked, connected };
    },
  };
}

export const feedOf = (onEvent: SharedFeed["onEvent"], onMissed = () => {}): SharedFeed => ({ onEvent, onMissed });

export function hide(hidden: boolean): void {
  vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
  document.dispatchEvent(new Event("visibilitychange"));
}

/** Waits as long as it says, whatever the clock of the tabs says. */
export const inFact = (ms: number): Promise<void> =>
  new Promise((done) => {
    inTruth(done, ms);
  });

/** Lets seconds pass in which tabs hear each other. */
export async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await vi.advanceTimersByTimeAsync(1_000);
    await inFact(5);
  }
}

/** Has the tab that follows next live in a browser that freezes it: what it is told it hears when it is thawed. */
export function freezable() {
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
