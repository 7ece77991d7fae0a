import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";

/** An MCP server on a loopback port, made with the protocol's own package, that wants a key and counts calls. It keeps
 * sessions, answers in streams, and tells those who listen when it has another tool. */
export class NotesServer {
  readonly key = "Bearer let-me-in";
  calls: { tool: string; given: unknown }[] = [];
  private server: Server | undefined;
  private readonly learned: string[] = [];
  private readonly sessions = new Map<string, { transport: StreamableHTTPServerTransport; tools: McpServer }>();

  async start(): Promise<string> {
    this.server = createServer((request, response) => void this.answer(request, response));
    await new Promise<void>((done) => this.server?.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/mcp`;
  }

  async close(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((done) => this.server?.close(done));
  }

  /** Adds a tool to those that everybody has listed. */
  learn(name: string): void {
    this.learned.push(name);
    for (const { tools } of this.sessions.values()) this.register(tools, name, "Learned later");
  }

  /** Forgets all sessions and what was learned, as a restart does. */
  forget(): void {
    this.learned.length = 0;
    for (const { transport } of this.sessions.values()) void transport.close();
    this.sessions.clear();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers.authorization !== this.key) {
      response.writeHead(401).end();
      return;
    }
    const id = request.headers["mcp-session-id"];
    const session = typeof id === "string" ? this.sessions.get(id) : await this.opened();
    if (session === undefined) response.writeHead(404).end();
    else await session.transport.handleRequest(request, response);
  }

  private async opened() {
    const tools = this.tools();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void this.sessions.set(id, { transport, tools }),
      onsessionclosed: (id) => void this.sessions.delete(id),
    });
    await tools.connect(transport as Parameters<McpServer["connect"]>[0]);
    return { transport, tools };
  }

  private tools(): McpServer {
    const server = new McpServer({ name: "notes", version: "1" });
    server.registerTool(
      "find",
      { description: "Finds a note", inputSchema: { word: z.enum(["plants", "milk", "bread"]) } },
      ({ word }) => {
        this.calls.push({ tool: "find", given: { word } });
        return { content: [{ type: "text", text: `The note about ${word} says: water the plants on Friday.` }] };
      },
    );
    this.register(server, "burn", "Burns all notes");
    for (const name of this.learned) this.register(server, name, "Learned later");
    return server;
  }

  /** A tool that takes nothing, and fails. */
  private register(server: McpServer, name: string, description: string): void {
    server.registerTool(name, { description, inputSchema: {} }, () => {
      this.calls.push({ tool: name, given: {} });
      return { isError: true, content: [{ type: "text", text: "there are no matches" }] };
    });
  }
}
