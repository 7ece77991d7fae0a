import { screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { renderPage } from "@/testing/render";
import { EmptyChat } from "./EmptyChat";

afterEach(() => vi.unstubAllGlobals());

test("a model that loads and does not chat is not taken for the one that comes", async () => {
  const details = { format: "gguf", family: "bert", parameter_size: "", quantization_level: "" };
  const embedder = { name: "minilm", size: 1, digest: "", modified_at: "", details, capabilities: ["embedding"] };
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    const loading = { status: "loading", model: "minilm", progress: 0.5 };
    return Response.json(path === "/health" ? loading : { models: [embedder] });
  });
  renderPage(<EmptyChat onPick={() => {}} />);
  expect(await screen.findByText(/No model is installed yet/)).toBeVisible();
  expect(asked).not.toContain("/health");
});
