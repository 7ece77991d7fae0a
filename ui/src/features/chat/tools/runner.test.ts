import { beforeEach, expect, test, vi } from "vitest";
import type { CallResult } from "../wire";
import { MOST_ROUNDS, ToolRunner } from "./runner";
import type { Approval, Tool } from "./tool";

const given: CallResult[] = [];
const states: string[] = [];
let approval: Approval = "ask";
let run = vi.fn<Tool["run"]>();
let runner: ToolRunner;

const call = { id: "c1", name: "add", arguments: '{"a": 1}', state: "waiting" as const };
const waiting = (round = 1) => [{ message: "m1", round, calls: [call] }];
const settled = () => vi.waitFor(() => expect(given.length).toBeGreaterThan(0));

beforeEach(() => {
  given.length = 0;
  states.length = 0;
  approval = "ask";
  run = vi.fn<Tool["run"]>().mockResolvedValue("2");
  runner = new ToolRunner();
  runner.world = {
    find: (id) => (id === "add" ? { id, server: "", name: id, description: "", parameters: {}, run } : undefined),
    mode: () => ({ enabled: true, approval }),
    setState: async (_, __, state) => void states.push(state),
    give: async (_, results) => void given.push(...results),
    alone: (_, work) => work(),
  };
});

test("a call waits for approval, runs once it has it, and its result goes to the server", async () => {
  runner.consider(waiting());
  expect(run).not.toHaveBeenCalled();
  runner.approve("m1", call);
  await settled();
  expect(run).toHaveBeenCalledExactlyOnceWith({ a: 1 }, expect.any(AbortSignal));
  expect(states).toEqual(["running"]);
  expect(given).toEqual([{ call: "c1", result: "2", state: "done" }]);
});

test("a tool that is always allowed runs by itself, and once however often the chat changes", async () => {
  approval = "always";
  runner.consider(waiting());
  runner.consider(waiting());
  await settled();
  runner.consider(waiting());
  expect(run).toHaveBeenCalledOnce();
  expect(given).toHaveLength(1);
});

test("what another tab has begun, or has ended, is left to it", () => {
  approval = "always";
  for (const state of ["running", "done", "failed", "denied"] as const) {
    runner.consider([{ message: "m1", round: 1, calls: [{ ...call, state }] }]);
  }
  expect(run).not.toHaveBeenCalled();
});

test("a tab that comes second by the server's word runs nothing and says why", async () => {
  approval = "always";
  if (runner.world !== undefined) runner.world.setState = () => Promise.reject(new Error("another tab runs it"));
  runner.consider(waiting());
  await vi.waitFor(() => expect(runner.error("m1", "c1")).toBe("another tab runs it"));
  expect(run).not.toHaveBeenCalled();
});

test("a call that another tab took and died with can be run here", async () => {
  runner.takeOver("m1", { ...call, state: "running" });
  await settled();
  expect(states).toEqual(["waiting", "running"]);
  expect(given).toHaveLength(1);
});

test("beyond the most rounds even an allowed tool waits for the person", async () => {
  approval = "always";
  runner.consider(waiting(MOST_ROUNDS + 1));
  expect(run).not.toHaveBeenCalled();
  runner.approve("m1", call);
  await settled();
  expect(run).toHaveBeenCalledOnce();
});

test("a tool that may never be called is denied without anybody being asked", async () => {
  approval = "never";
  runner.consider(waiting());
  await settled();
  expect(given[0]).toMatchObject({ call: "c1", state: "denied" });
  expect(run).not.toHaveBeenCalled();
});

test("a denied call tells the model so", async () => {
  runner.deny("m1", call);
  await settled();
  expect(given[0]?.state).toBe("denied");
  expect(given[0]?.result).toMatch(/denied this call/);
});

test("a tool that fails is told in its words, as is one that is not there and arguments that are no JSON", async () => {
  run.mockRejectedValue(new Error("out of ink"));
  runner.approve("m1", call);
  runner.approve("m1", { ...call, id: "c2", name: "gone" });
  runner.approve("m1", { ...call, id: "c3", arguments: "{" });
  await vi.waitFor(() => expect(given).toHaveLength(3));
  expect(given.map(({ state }) => state)).toEqual(["failed", "failed", "failed"]);
  expect(given.map(({ result }) => result).sort()).toEqual([
    "Error: out of ink",
    "Error: the arguments of add are no JSON object",
    "Error: there is no tool gone now",
  ]);
});

test("the model is told of arguments that the person changed", async () => {
  runner.approve("m1", call, '{"a": 7}');
  await settled();
  expect(run).toHaveBeenCalledWith({ a: 7 }, expect.any(AbortSignal));
  expect(given[0]?.result).toBe('(The person changed the arguments to {"a": 7})\n2');
});

test("a call that hangs can be stopped, and the model is told", async () => {
  run.mockReturnValue(new Promise(() => {}));
  runner.approve("m1", call);
  await vi.waitFor(() => expect(run).toHaveBeenCalled());
  expect(runner.runsHere("m1", "c1")).toBe(true);
  runner.cancel("m1", call);
  await settled();
  expect(given[0]).toMatchObject({ state: "failed", result: "Error: the person stopped it" });
  expect(runner.runsHere("m1", "c1")).toBe(false);
});

test("a result that could not be given says why, and the call can be approved again", async () => {
  const world = runner.world;
  if (world === undefined) return;
  const { give } = world;
  world.give = () => Promise.reject(new Error("The server can't be reached. Is it running?"));
  runner.approve("m1", call);
  await vi.waitFor(() => expect(runner.error("m1", "c1")).toMatch(/can't be reached/));
  world.give = give;
  runner.approve("m1", call);
  await settled();
  expect(given).toHaveLength(1);
});
