import { screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { renderPage } from "@/testing/render";
import { FirstModel } from "./FirstModel";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the model that the server fetches at its first start is told of until it is here", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  let health: object = { status: "loading", model: "smollm2", stage: "pulling smollm2", progress: 0.57 };
  vi.stubGlobal("fetch", async () => Response.json(health, { status: "note" in health ? 200 : 503 }));
  renderPage(<FirstModel otherwise={<p>Get a model</p>} />);
  expect(await screen.findByText(/smollm2 is on its way/)).toBeVisible();
  expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "57");
  expect(screen.queryByText("Get a model")).toBeNull();
  health = { status: "ok", note: "no model is installed" };
  await vi.advanceTimersByTimeAsync(1_100);
  expect(await screen.findByText("Get a model")).toBeVisible();
});

test("nothing is said before it is known whether one comes", async () => {
  let answer: (response: Response) => void = () => {};
  const asked = new Promise<Response>((answered) => {
    answer = answered;
  });
  vi.stubGlobal("fetch", () => asked);
  renderPage(
    <>
      <h1>Chat</h1>
      <FirstModel otherwise={<p>Get a model</p>} />
    </>,
  );
  expect(await screen.findByText("Chat")).toBeVisible();
  expect(screen.queryByText("Get a model")).toBeNull();
  answer(Response.json({ status: "ok" }));
  expect(await screen.findByText("Get a model")).toBeVisible();
});
