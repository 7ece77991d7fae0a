import { expect, test, vi } from "vitest";
import type { McpServer } from "../settings";
import type { McpSession } from "./client";
import { textOf } from "./client";
import { McpConnections, type Open } from "./connections";
import { SessionEnded } from "./sessionEnded";

const server = (name: string, more: Partial<McpServer> = {}): McpServer => ({
  name,
  url: `http://127.0.0.1/${name}`,
  headers: [],
  enabled: true,
  tools: {},
  ...more,
});

function sessions() {
  const closed: string[] = [];
  const opened: string[] = [];
  let changed = () => {};
  const open: Open = async (name, _, onChanged) => {
    opened.push(name);
    changed = onChanged;
    if (name === "broken") throw new Error("the MCP server broken can't be used: it wants a login (401)");
    const session: McpSession = {
      title: name,
      tools: [{ name: "add it", description: "", parameters: {} }],
      call: async () => "",
      close: async () => void closed.push(name),
    };
    return session;
  };
  return { open, opened, closed, change: () => changed() };
}

test("servers that are switched on are connected to, once, and their tools have names that models can say", async () => {
  const { open, opened } = sessions();
  const connections = new McpConnections(open);
  connections.follow([server("notes"), server("off", { enabled: false })]);
  connections.follow([server("notes")]);
  await vi.waitFor(() => expect(connections.all().get("notes")?.state).toBe("open"));
  expect(opened).toEqual(["notes"]);
  const notes = connections.all().get("notes");
  expect(notes?.state === "open" && notes.tools[0]?.id).toBe("notes__add_it");
});

test("a server that is taken away, switched off or moved has its session ended", async () => {
  const { open, opened, closed } = sessions();
  const connections = new McpConnections(open);
  connections.follow([server("a"), server("b")]);
  await vi.waitFor(() => expect(connections.all().get("b")?.state).toBe("open"));
  connections.follow([server("a", { url: "http://127.0.0.1/other" })]);
  await vi.waitFor(() => expect(closed.sort()).toEqual(["a", "b"]));
  expect(opened).toEqual(["a", "b", "a"]);
});

test("a server that can't be used says why, and is tried again when asked to", async () => {
  const { open, opened } = sessions();
  const connections = new McpConnections(open);
  connections.follow([server("broken")]);
  await vi.waitFor(() => expect(connections.all().get("broken")).toMatchObject({ state: "failed", error: /login/ }));
  connections.reconnect("broken");
  expect(connections.all().get("broken")?.state).toBe("connecting");
  expect(opened).toHaveLength(2);
});

test("a server that says its tools changed is asked for them anew", async () => {
  const { open, opened, change } = sessions();
  const connections = new McpConnections(open);
  connections.follow([server("notes")]);
  await vi.waitFor(() => expect(connections.all().get("notes")?.state).toBe("open"));
  change();
  await vi.waitFor(() => expect(opened).toHaveLength(2));
});

test("a call that a restarted server knows no session for runs once in the next session", async () => {
  let opened = 0;
  const ran: number[] = [];
  const connections = new McpConnections(async (name) => {
    const mine = ++opened;
    const call = async () => {
      if (mine === 1) throw new SessionEnded("the session has ended");
      ran.push(mine);
      return "done";
    };
    const close = async () => {};
    return { title: name, tools: [{ name: "add", description: "", parameters: {} }], call, close };
  });
  connections.follow([server("notes")]);
  await vi.waitFor(() => expect(connections.all().get("notes")?.state).toBe("open"));
  const notes = connections.all().get("notes");
  const [add] = notes?.state === "open" ? notes.tools : [];
  expect(await add?.run({}, new AbortController().signal)).toBe("done");
  expect(ran).toEqual([2]);
  expect(connections.all().get("notes")?.state).toBe("open");
});

test("what a tool gives becomes text, and what it calls an error becomes one", () => {
  const text = { type: "text", text: "sunny" };
  expect(textOf({ content: [text, { type: "image", mimeType: "image/png", data: "" }] })).toBe(
    "sunny\n[image image/png, which is not shown to the model]",
  );
  expect(textOf({ content: [], structuredContent: { a: 1 } })).toBe('{"a":1}');
  expect(() => textOf({ content: [text], isError: true })).toThrow("sunny");
});
