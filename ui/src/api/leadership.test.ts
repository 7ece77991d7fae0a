import { expect, test, vi } from "vitest";
import { browserOfTabs, feedOf, freezable, hide, inFact, pass } from "@/testing/tabs";
import { followShared } from "./sharedFeed";

const { feed, holders } = browserOfTabs();

test("a tab that is hidden by its turn leaves it to the others until it is seen", async () => {
  const { url, asked } = await feed();
  const heard: string[] = [];
  const leave = followShared(
    url,
    feedOf(() => {}),
  );
  const leaveOther = followShared(
    url,
    feedOf(({ data }) => heard.push(data)),
  );
  await vi.waitFor(() => expect(heard).toEqual(["1"]));
  hide(true);
  leave();
  await new Promise((done) => setTimeout(done, 100));
  expect(holders()).toBe(0);
  hide(false);
  await vi.waitFor(() => expect(heard).toEqual(["1", "2"]));
  expect(asked).toEqual([undefined, "1"]);
  leaveOther();
});

test("where the tab that leads is frozen another takes its turn, and it follows again when it is thawed", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  const { url, asked } = await feed();
  const heard: string[] = [];
  const heardOther: string[] = [];
  const browser = freezable();
  const leave = followShared(
    url,
    feedOf(({ data }) => heard.push(data)),
  );
  browser.done();
  const leaveOther = followShared(
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
  expect([heard, holders()]).toEqual([["1"], 1]);
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
  const leave = followShared(
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
  const leave = followShared(
    url,
    feedOf(() => {}),
  );
  await pass(20);
  const request = vi.spyOn(navigator.locks, "request");
  const browser = freezable();
  const leaveOther = followShared(
    url,
    feedOf(() => {}),
  );
  browser.done();
  browser.freeze();
  await inFact(20);
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
  const leave = followShared(
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
