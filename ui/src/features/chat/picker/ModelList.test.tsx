import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import type { InstalledModel } from "@/api/models";
import { libraryQuery } from "@/features/models/library";
import { renderPage } from "@/testing/render";
import { ModelList } from "./ModelList";

afterEach(() => vi.unstubAllGlobals());

const tiny = { name: "tiny", size: 1, details: { family: "llama", quantization_level: "" } };
const failed = { state: "failed", error: "the model needs more memory than there is", stage: "", progress: 0 };
const model = { name: "tiny", modified: 1, parameters: 135e6, capabilities: ["completion", "tools"] };
const library = {
  version: "a.1",
  models: [{ ...model, loaded: failed }],
  jobs: [],
  machine: null,
};

test("a model whose load has failed says why, and is loaded again without being chosen", async () => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (request: Request | string) => {
    const { pathname } = new URL(typeof request === "string" ? request : request.url, window.location.origin);
    if (pathname.endsWith("/events")) return new Promise<Response>(() => {});
    if (pathname === "/api/ui/models/load")
      asked.push(((await (request as Request).json()) as { model: string }).model);
    return Response.json(pathname === "/api/ui/models" ? library : {});
  });
  const onChoose = vi.fn();
  renderPage(<ModelList models={[tiny as unknown as InstalledModel]} chosen={null} onChoose={onChoose} />);
  expect(await screen.findByText(/The model needs more memory than there is/i)).toBeVisible();
  expect(screen.getByText(/llama · 135M .*tools/)).toBeVisible();
  await userEvent.click(screen.getByRole("button", { name: "Try again: tiny" }));
  await vi.waitFor(() => expect(asked).toEqual(["tiny"]));
  expect(onChoose).not.toHaveBeenCalled();
});

test("a load that fails from here is told of in the list, too, until it is tried again", async () => {
  const answers = [Response.json({ error: "the file is truncated" }, { status: 500 }), Response.json({})];
  vi.stubGlobal("fetch", async (request: Request | string) => {
    const { pathname } = new URL(typeof request === "string" ? request : request.url, window.location.origin);
    if (pathname.endsWith("/events")) return new Promise<Response>(() => {});
    if (pathname === "/api/ui/models/load") return answers.shift();
    return Response.json(pathname === "/api/ui/models" ? { ...library, models: [{ ...model, loaded }] } : {});
  });
  let loaded: object | null = failed;
  const { client } = renderPage(
    <ModelList models={[tiny as unknown as InstalledModel]} chosen={null} onChoose={() => {}} />,
  );
  const retry = () => screen.findByRole("button", { name: "Try again: tiny" });
  await userEvent.click(await retry());
  loaded = null;
  await client.refetchQueries(libraryQuery);
  expect(await screen.findByText("Failed: The file is truncated")).toBeVisible();
  await userEvent.click(await retry());
  await vi.waitFor(() => expect(screen.queryByText("Failed: The file is truncated")).toBeNull());
});
