import { act, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { renderPage } from "@/testing/render";
import { useAttachments } from "../attachments/useAttachments";
import { useCompare } from "../compare/useCompare";
import { ToolsProvider } from "../tools/ToolsProvider";
import { useNewChat } from "../useNewChat";
import { MessageComposer } from "./MessageComposer";

const MODEL = { size: 1, digest: "", modified_at: "", details: {}, capabilities: ["completion", "tools"] };
const HOLDS = {
  "/api/tags": { models: ["alpha", "beta"].map((name) => ({ ...MODEL, name })) },
  "/api/ps": { models: [{ name: "beta", size: 1, expires_at: "", context_length: 1, pinned: false }] },
  "/api/ui/tools": { built_in: { clock: { enabled: true, approval: "always" } }, servers: [], private_fetch: false },
};
type Path = keyof typeof HOLDS;

let answer: Record<string, () => void>;
let posted: { path: string; body: unknown }[];

/** A server that answers each path when the test says so. */
beforeEach(() => {
  answer = {};
  posted = [];
  vi.stubGlobal("fetch", async (given: Request | string, init?: RequestInit) => {
    const request = typeof given === "string" ? new Request(new URL(given, location.href), init) : given;
    const path = new URL(request.url).pathname;
    if (request.method === "POST") {
      posted.push({ path, body: await request.json() });
      return Response.json({ id: "c", chat: { id: "c", version: 1 } });
    }
    if (!(path in HOLDS)) return Response.json({}, { status: 404 });
    await new Promise<void>((resolve) => {
      answer[path] = resolve;
    });
    return Response.json(HOLDS[path as Path]);
  });
});
afterEach(() => vi.unstubAllGlobals());

function NewChat() {
  const chat = useNewChat();
  const compare = useCompare(chat);
  const attachments = useAttachments(chat.id, chat.model);
  return <MessageComposer chat={chat} attachments={attachments} compare={compare} onTools={() => {}} ref={null} />;
}

test("a message that is sent while the page opens waits for which model is loaded, and which tools are on", async () => {
  renderPage(
    <ToolsProvider>
      <NewChat />
    </ToolsProvider>,
  );
  await userEvent.type(await screen.findByRole("textbox", { name: "Message" }), "What time is it?{Enter}");
  for (const path of ["/api/tags", "/api/ps", "/api/ui/tools"]) {
    await vi.waitFor(() => expect(answer).toHaveProperty([path]));
    expect(posted).toEqual([]);
    await act(async () => answer[path]?.());
    await act(() => new Promise((done) => setTimeout(done, 20)));
  }
  await vi.waitFor(() => expect(posted).toHaveLength(2));
  expect(posted[0]).toMatchObject({ path: "/api/ui/chats", body: { model: "beta" } });
  expect(posted[1]?.body).toMatchObject({ answers: [{ tools: [{ name: "clock" }] }] });
});
