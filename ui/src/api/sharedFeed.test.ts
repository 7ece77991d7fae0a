import { expect, test, vi } from "vitest";
import { browserOfTabs, feedOf } from "@/testing/tabs";
import { followShared } from "./sharedFeed";

const { feed } = browserOfTabs();

test("tabs share one connection, and when its holder goes another takes it up after the last event", async () => {
  const { url, asked } = await feed();
  const heard: string[][] = [[], []];
  const [leave, leaveOther] = heard.map((each) =>
    followShared(
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

test("a page that is left lets go of the connection, and takes it up when it is come back to", async () => {
  const { url, asked, connected } = await feed();
  const heard: string[] = [];
  const leave = followShared(
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

test("a tab follows alone where the browser refuses its locks", async () => {
  const { url, connected } = await feed();
  const request = vi.fn(() => Promise.reject(new Error("refused")));
  vi.stubGlobal("navigator", { ...navigator, locks: { request } });
  const heard: string[] = [];
  const leave = followShared(
    url,
    feedOf(({ data }) => heard.push(data)),
  );
  await vi.waitFor(() => expect(heard).toEqual(["1"]));
  expect(request).toHaveBeenCalledOnce();
  leave();
  await vi.waitFor(() => expect(connected.size).toBe(0));
});
