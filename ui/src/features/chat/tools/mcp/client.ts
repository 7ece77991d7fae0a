import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CfWorkerJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/cfworker";
import { config } from "zod/v4/core";
import { errorOf } from "@/api/errors";
import { authorization } from "@/api/key";
import { SessionEnded } from "./sessionEnded";
import { ToolWatch } from "./toolWatch";

// The page's policy lets nothing make code of text, and the browser reports even an attempt.
config({ jitless: true });

/** A tool as an MCP server lists it. */
export interface ListedTool {
  name: string;
  description: string;
  parameters: Record<string, unknown>;
}

export interface McpSession {
  /** What the server calls itself. */
  title: string;
  tools: readonly ListedTool[];
  call: (name: string, given: Record<string, unknown>, signal: AbortSignal) => Promise<string>;
  close: () => Promise<void>;
}

const MOST_PAGES = 50;
const CALL_MS = 300_000;

/** Opens a session with the MCP server `name`, through the server of this page, and lists its tools. */
export async function openSession(name: string, signal: AbortSignal, onChanged: () => void): Promise<McpSession> {
  const url = new URL(`/api/ui/mcp/${encodeURIComponent(name)}`, window.location.origin);
  const transport = new StreamableHTTPClientTransport(url, { fetch: keyed });
  const watch = new ToolWatch(onChanged);
  const client = new Client(
    { name: "mlxr", version: "1" },
    {
      jsonSchemaValidator: new CfWorkerJsonSchemaValidator(),
      listChanged: { tools: { autoRefresh: false, onChanged: watch.changed } },
    },
  );
  const abort = () => void client.close();
  signal.addEventListener("abort", abort);
  try {
    await client.connect(transport as Parameters<Client["connect"]>[0], { signal });
    const hasTools = client.getServerCapabilities()?.tools !== undefined;
    const tools = hasTools ? await listed(client, signal) : [];
    if (hasTools) watch.start(tools, () => listed(client, signal), signal);
    const title = client.getServerVersion()?.title ?? client.getServerVersion()?.name ?? name;
    return {
      title,
      tools,
      call: async (tool, given, stop) => {
        const options = { signal: stop, timeout: CALL_MS, resetTimeoutOnProgress: true };
        const called = () => client.callTool({ name: tool, arguments: given }, undefined, options);
        return textOf(await watch.during(called));
      },
      close: async () => {
        watch.stop();
        await transport.terminateSession().catch(() => {});
        await client.close();
      },
    };
  } catch (error) {
    await client.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function listed(client: Client, signal: AbortSignal): Promise<ListedTool[]> {
  const tools: ListedTool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = await client.listTools(cursor === undefined ? {} : { cursor }, { signal });
    for (const { name, description = "", inputSchema } of answer.tools) {
      tools.push({ name, description, parameters: inputSchema });
    }
    cursor = answer.nextCursor;
    if (cursor === undefined) break;
  }
  return tools;
}

interface Block {
  type: string;
  text?: string;
  mimeType?: string;
  uri?: string;
  name?: string;
  resource?: { uri: string; text?: string; mimeType?: string };
}

/** Returns what a tool gave as text for a model. Throws an `Error` with it where the tool says that it failed. */
export function textOf(result: { [key: string]: unknown }): string {
  const blocks = Array.isArray(result.content) ? (result.content as Block[]) : [];
  const parts = blocks.map((block) => {
    if (block.type === "text") return block.text ?? "";
    if (block.type === "resource")
      return block.resource?.text ?? `[${block.resource?.mimeType ?? "data"} ${block.resource?.uri}]`;
    if (block.type === "resource_link") return `[${block.name ?? "resource"}: ${block.uri}]`;
    return `[${block.type}${block.mimeType === undefined ? "" : ` ${block.mimeType}`}, which is not shown to the model]`;
  });
  if (parts.length === 0 && result.structuredContent !== undefined)
    parts.push(JSON.stringify(result.structuredContent));
  const text = parts.join("\n");
  if (result.isError === true) throw new Error(text === "" ? "the tool failed and does not say why" : text);
  return text;
}

/** Fetches with the key of this page; what the way to the server refuses is an `ApiError`, in words. A stream for the
 * server's own messages would take one of the browser's six connections for each server and tab: there is none. */
async function keyed(url: string | URL, init?: RequestInit): Promise<Response> {
  const headers = new Headers(init?.headers);
  for (const [name, value] of Object.entries(authorization())) headers.set(name, value);
  if (init?.method === "GET" && !headers.has("last-event-id")) return new Response(null, { status: 405 });
  const response = await fetch(url, { ...init, headers });
  if (response.status === 502 || response.status === 401) throw await errorOf(response);
  if (response.status === 404 && headers.has("mcp-session-id")) throw new SessionEnded("the session has ended");
  return response;
}
