import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { followEvents, type ServerEvent } from "./events";
import { onKeyWanted, setKey } from "./key";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server | undefined;
let stop: (() => void) | undefined;

afterEach(() => {
  stop?.();
  server?.closeAllConnections();
  server?.close();
});

/** Serves each connection by the next of `handlers`, the last one again and again, and returns the address. */
async function serve(...handlers: Handler[]): Promise<string> {
  let connection = 0;
  const listening = createServer((request, response) => {
    handlers[Math.min(connection, handlers.length - 1)]?.(request, response);
    connection += 1;
  });
  server = listening;
  await new Promise<void>((done) => listening.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/events`;
}

const begin = (response: ServerResponse) => response.writeHead(200, { "Content-Type": "text/event-stream" });

test("events come in order with their names and ids, however they are cut into pieces", async () => {
  const url = await serve((_, response) => {
    begin(response);
    response.write("id: 1\nevent: to");
    setTimeout(() => response.write('ken\ndata: {"text": "Grüße"}\n\n: a comment\n\ndata: plain\n\n'), 5);
  });
  const events: ServerEvent[] = [];
  stop = followEvents(url, { onEvent: (event) => events.push(event) });
  await vi.waitFor(() => expect(events).toHaveLength(2));
  expect(events[0]).toEqual({ name: "token", data: '{"text": "Grüße"}', id: "1" });
  expect(events[1]).toEqual({ name: "message", data: "plain", id: undefined });
});

test("a connection that breaks is opened again after the last event that came", async () => {
  const asked: (string | undefined)[] = [];
  const url = await serve(
    (request, response) => {
      asked.push(request.headers["last-event-id"] as string | undefined);
      begin(response);
      response.write("id: 7\ndata: one\n\n", () => response.destroy());
    },
    (request, response) => {
      asked.push(request.headers["last-event-id"] as string | undefined);
      begin(response);
      response.write("id: 8\ndata: two\n\n");
    },
  );
  const data: string[] = [];
  stop = followEvents(url, { onEvent: (event) => data.push(event.data), backoff: [1] });
  await vi.waitFor(() => expect(data).toEqual(["one", "two"]));
  expect(asked).toEqual([undefined, "7"]);
});

test("the key goes in a header, and a stream that lacks one begins once it is given", async () => {
  const url = await serve((request, response) => {
    if (request.headers.authorization !== "Bearer secret") {
      response.writeHead(401, { "Content-Type": "application/json" }).end('{"error": "an API key is needed"}');
      return;
    }
    begin(response);
    response.write("data: in\n\n");
  });
  const data: string[] = [];
  let wanted = 0;
  const forget = onKeyWanted(() => {
    wanted += 1;
  });
  stop = followEvents(url, { onEvent: (event) => data.push(event.data), backoff: [1] });
  await vi.waitFor(() => expect(wanted).toBe(1));
  setKey("secret");
  await vi.waitFor(() => expect(data).toEqual(["in"]));
  forget();
});

test("what the server refuses for good ends the stream with the server's words", async () => {
  const url = await serve((_, response) => {
    response.writeHead(404, { "Content-Type": "application/json" }).end('{"error": "there is no such chat"}');
  });
  const states: (string | undefined)[] = [];
  stop = followEvents(url, {
    onEvent: () => {},
    onState: (state, error) => states.push(error === undefined ? state : `${state}: ${error.message}`),
  });
  await vi.waitFor(() => expect(states).toEqual(["connecting", "closed: there is no such chat"]));
});

test("a stream of one answer that the server ended is not opened again", async () => {
  let connections = 0;
  const url = await serve((_, response) => {
    connections += 1;
    begin(response);
    response.end("data: all\n\n");
  });
  const states: string[] = [];
  stop = followEvents(url, { onEvent: () => {}, onState: (state) => states.push(state), reopens: false });
  await vi.waitFor(() => expect(states.at(-1)).toBe("closed"));
  expect(connections).toBe(1);
});

test("no event comes once it is stopped", async () => {
  const url = await serve((_, response) => {
    begin(response);
    const timer = setInterval(() => response.write("data: tick\n\n"), 1);
    response.on("close", () => clearInterval(timer));
  });
  let ticks = 0;
  const end = followEvents(url, {
    onEvent: () => {
      ticks += 1;
      if (ticks === 3) end();
    },
  });
  await vi.waitFor(() => expect(ticks).toBe(3));
  await new Promise((after) => setTimeout(after, 30));
  expect(ticks).toBe(3);
});

test("a connection that is silent for longer than the server's comments let it be is opened again", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const asked: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    asked.push(request.headers["last-event-id"] as string | undefined);
    begin(response);
    response.write(`id: ${asked.length}\ndata: x\n\n`);
  });
  const states: string[] = [];
  let events = 0;
  stop = followEvents(url, {
    onEvent: () => {
      events += 1;
    },
    onState: (state) => states.push(state),
  });
  await vi.waitFor(() => expect(events).toBe(1));
  await vi.advanceTimersByTimeAsync(29_000);
  expect(states.at(-1)).toBe("open");
  await vi.advanceTimersByTimeAsync(2_000);
  await vi.waitFor(() => expect(events).toBe(2));
  expect(states).toContain("waiting");
  expect(asked).toEqual([undefined, "1"]);
  vi.useRealTimers();
});

test("a server that takes a connection and does not answer is waited for, and asked again", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  let asked = 0;
  const url = await serve(
    () => {
      asked += 1;
    },
    (_, response) => {
      begin(response);
      response.write("data: x\n\n");
    },
  );
  const states: string[] = [];
  const data: string[] = [];
  stop = followEvents(url, {
    onEvent: (event) => data.push(event.data),
    onState: (state, error) => states.push(error === undefined ? state : `${state}: ${error.status}`),
  });
  await vi.waitFor(() => expect(asked).toBe(1));
  await vi.advanceTimersByTimeAsync(31_000);
  await vi.waitFor(() => expect(data).toEqual(["x"]));
  expect(states).toEqual(["connecting", "waiting: 0", "connecting", "open"]);
  vi.useRealTimers();
});

describe("a page that nobody sees", () => {
  const look = (hidden: boolean) => {
    vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
    document.dispatchEvent(new Event("visibilitychange"));
  };
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** Serves a feed whose events count the connections, and returns what was asked for. */
  async function counting() {
    const asked: (string | undefined)[] = [];
    let closed = 0;
    const url = await serve((request, response) => {
      asked.push(request.headers["last-event-id"] as string | undefined);
      response.on("close", () => {
        closed += 1;
      });
      begin(response);
      response.write(`id: ${asked.length}\ndata: x\n\n`);
    });
    return { url, asked, closed: () => closed };
  }

  test("gives its connection up after a while, and goes on after the last event when it is seen again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { url, asked, closed } = await counting();
    const data: string[] = [];
    stop = followEvents(url, { onEvent: (event) => data.push(event.data) });
    await vi.waitFor(() => expect(data).toHaveLength(1));
    look(true);
    await vi.advanceTimersByTimeAsync(11_000);
    await vi.waitFor(() => expect(closed()).toBe(1));
    expect(asked).toEqual([undefined]);
    look(false);
    await vi.waitFor(() => expect(data).toHaveLength(2));
    expect(asked).toEqual([undefined, "1"]);
  });

  test("keeps a connection that is needed", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { url, asked, closed } = await counting();
    const data: string[] = [];
    stop = followEvents(url, { onEvent: (event) => data.push(event.data), whileHidden: () => true });
    await vi.waitFor(() => expect(data).toHaveLength(1));
    look(true);
    await vi.advanceTimersByTimeAsync(25_000);
    expect([asked.length, closed()]).toEqual([1, 0]);
  });

  test("opens none before it is seen", async () => {
    look(true);
    const { url, asked } = await counting();
    const data: string[] = [];
    stop = followEvents(url, { onEvent: (event) => data.push(event.data) });
    await new Promise((after) => setTimeout(after, 100));
    expect(asked).toEqual([]);
    look(false);
    await vi.waitFor(() => expect(data).toHaveLength(1));
  });
});
