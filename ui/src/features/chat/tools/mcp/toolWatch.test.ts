import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ListedTool } from "./client";
import { SessionEnded } from "./sessionEnded";
import { ToolWatch } from "./toolWatch";

const tool = (name: string): ListedTool => ({ name, description: "", parameters: {} });
const later = () => vi.advanceTimersByTimeAsync(60_000);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watching() {
  const list = vi.fn(async () => [tool("add"), tool("clock")]);
  const onChanged = vi.fn();
  const watch = new ToolWatch(onChanged);
  const stop = new AbortController();
  watch.start([tool("add"), tool("clock")], list, stop.signal);
  return { list, onChanged, watch, stop };
}

test("other tools are noticed, and a session that is forgotten; another order of the same is not", async () => {
  const { list, onChanged } = watching();
  list.mockResolvedValue([tool("clock"), tool("add")]);
  await later();
  expect(list).toHaveBeenCalled();
  expect(onChanged).not.toHaveBeenCalled();
  list.mockRejectedValueOnce(new Error("the network is down"));
  await later();
  expect(onChanged).not.toHaveBeenCalled();
  list.mockRejectedValueOnce(new SessionEnded("the session has ended"));
  await later();
  expect(onChanged).toHaveBeenCalledOnce();
  list.mockResolvedValue([tool("add")]);
  await later();
  expect(onChanged.mock.calls.length).toBeGreaterThan(1);
});

test("a server that takes long to list its tools is not asked again meanwhile, nor after the end", async () => {
  const { list, stop } = watching();
  list.mockReturnValue(new Promise(() => {}));
  await later();
  await later();
  expect(list).toHaveBeenCalledOnce();
  const ended = watching();
  ended.stop.abort();
  stop.abort();
  await later();
  expect(ended.list).not.toHaveBeenCalled();
});

test("a call that runs keeps its session: what the server says meanwhile is heeded after it", async () => {
  const { list, onChanged, watch } = watching();
  let end = (_: string) => {};
  const call = watch.during(() => new Promise<string>((resolve) => (end = resolve)));
  await later();
  expect(list).not.toHaveBeenCalled();
  watch.changed();
  expect(onChanged).not.toHaveBeenCalled();
  end("done");
  expect(await call).toBe("done");
  expect(onChanged).toHaveBeenCalledOnce();
});
