import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { onKeyWanted, readKey, setKey } from "@/api/key";
import { renderPage } from "@/testing/render";
import { KeyCard } from "./KeyCard";

/** A server that knows one key. Returns what it was asked. */
function serverWith(key: string) {
  const asked: { url: string; authorization: string | null }[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const authorization = new Headers(init.headers).get("Authorization");
    asked.push({ url, authorization });
    return new Response("{}", { status: authorization === `Bearer ${key}` ? 200 : 401 });
  });
  return asked;
}

test("a key is tested before it is kept, and goes into the header alone", async () => {
  const asked = serverWith("right");
  const wanted = vi.fn();
  const forget = onKeyWanted(wanted);
  renderPage(<KeyCard />);
  const field = await screen.findByLabelText("New key");
  await userEvent.type(field, "wrong");
  await userEvent.click(screen.getByRole("button", { name: "Test" }));
  expect(await screen.findByText("The server does not know this key.")).toBeVisible();
  await userEvent.clear(field);
  await userEvent.type(field, "right");
  await userEvent.click(screen.getByRole("button", { name: "Test" }));
  expect(await screen.findByText("The server takes this key.")).toBeVisible();
  expect(readKey()).toBeNull();
  expect(wanted).not.toHaveBeenCalled();
  expect(asked.every(({ url }) => !url.includes("right") && !url.includes("wrong"))).toBe(true);
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(readKey()).toBe("right");
  expect(field).toHaveValue("");
  forget();
});

test("a key can be removed", async () => {
  serverWith("right");
  setKey("right");
  renderPage(<KeyCard />);
  await userEvent.click(await screen.findByRole("button", { name: "Remove" }));
  expect(readKey()).toBeNull();
  expect(screen.queryByRole("button", { name: "Remove" })).toBeNull();
});
