import { expect, test, vi } from "vitest";
import { PendingChanges } from "./PendingChanges";

test("what is typed is told first, and whoever asks for an answer waits until the server has it", async () => {
  const pending = new PendingChanges();
  let taken = () => {};
  const tell = vi.fn(() =>
    pending.add(
      new Promise<void>((resolve) => {
        taken = resolve;
      }),
    ),
  );
  const unwatch = pending.watch(tell);
  const settled = vi.fn();
  const asked = pending.settle().then(settled);
  expect(tell).toHaveBeenCalledOnce();
  await Promise.resolve();
  expect(settled).not.toHaveBeenCalled();
  taken();
  await asked;
  unwatch();
  await pending.settle();
  expect(tell).toHaveBeenCalledOnce();
});

test("a change that is refused keeps what was to be asked from going out, once", async () => {
  const pending = new PendingChanges();
  pending.add(Promise.reject(new Error("the disk is full")));
  await expect(pending.settle()).rejects.toThrow("the disk is full");
  await expect(pending.settle()).resolves.toBeUndefined();
});
