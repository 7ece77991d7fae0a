import { describe, expect, it } from "vitest";
import { withChange } from "./queries";
import { decodeRate, listed, type RequestInfo, timeline } from "./timeline";

const request = (id: number, fields: Partial<RequestInfo> = {}): RequestInfo => ({
  id,
  model: "m",
  state: "decode",
  received: 100,
  name: `req_${id}`,
  route: "POST /api/chat",
  surface: "ollama",
  caller: "127.0.0.1",
  engine: "m-1",
  parameters: {},
  submitted: null,
  queued: null,
  prefill: null,
  first_token: null,
  ended: null,
  prompt_tokens: 0,
  cached_tokens: 0,
  restored_tokens: 0,
  stored_bytes: 0,
  miss: "",
  drafted_tokens: 0,
  accepted_tokens: 0,
  completion_tokens: 0,
  finish: "",
  error: "",
  code: "",
  restarts: 0,
  ...fields,
});

const done = { state: "finished", submitted: 102, queued: 102, prefill: 103, first_token: 105, ended: 109 };

describe("a timeline", () => {
  it("has each phase up to the next, and leaves out what took no time", () => {
    expect(timeline(request(1, done), 500).map(({ phase, start, seconds }) => [phase, start, seconds])).toEqual([
      ["load", 0, 2],
      ["queue", 2, 1],
      ["prefill", 3, 2],
      ["decode", 5, 4],
    ]);
  });

  it("goes on until now while the request is open", () => {
    const spans = timeline(request(1, { submitted: 101 }), 104);
    expect(spans.map(({ phase, seconds, open }) => [phase, seconds, open])).toEqual([
      ["load", 1, false],
      ["prepare", 3, true],
    ]);
  });

  it("of a request that failed at once is what it has come to", () => {
    expect(timeline(request(1, { state: "failed", ended: 100.25 }), 104)).toEqual([
      { phase: "load", start: 0, seconds: 0.25, open: false },
    ]);
  });
});

it("decodes at the rate of the tokens behind the first", () => {
  expect(decodeRate(request(1, { ...done, completion_tokens: 9 }), 0)).toBe(2);
  expect(decodeRate(request(1, { ...done, completion_tokens: 1 }), 0)).toBeNull();
});

describe("the list", () => {
  const requests = [
    request(1, { ...done, received: 1 }),
    request(2, { received: 2, model: "Gemma" }),
    request(3, { ...done, received: 3, state: "failed", error: "out of luck" }),
  ];

  it("has open requests first, then the latest", () => {
    expect(listed(requests, "all", "").map(({ id }) => id)).toEqual([2, 3, 1]);
  });

  it("can be narrowed by state and by text in any case", () => {
    expect(listed(requests, "failed", "").map(({ id }) => id)).toEqual([3]);
    expect(listed(requests, "open", "").map(({ id }) => id)).toEqual([2]);
    expect(listed(requests, "all", " gemma").map(({ id }) => id)).toEqual([2]);
    expect(listed(requests, "all", "LUCK").map(({ id }) => id)).toEqual([3]);
  });
});

describe("what a feed tells", () => {
  const event = (name: string, data: unknown) => ({ name, id: "1", data: JSON.stringify(data) });

  it("replaces requests by their id, and forgets all at a reset", () => {
    const first = withChange([], event("requests", { requests: [request(1), request(2)] }));
    const second = withChange(first, event("requests", { requests: [request(1, done)] }));
    expect(second?.map(({ id, state }) => [id, state])).toEqual([
      [1, "finished"],
      [2, "decode"],
    ]);
    expect(withChange(second, event("reset", {}))).toEqual([]);
  });

  it("keeps the latest 200 that have ended, and all that are open", () => {
    const many = Array.from({ length: 250 }, (_, index) => request(index, { ...done, received: index }));
    const known = withChange([request(999, { received: 0 })], event("requests", { requests: many }));
    expect(known?.length).toBe(201);
    expect(known?.[0]?.id).toBe(999);
    expect(known?.[1]?.id).toBe(50);
  });
});
