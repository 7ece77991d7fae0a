import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";

/** An MCP server on a loopback port, made with the protocol's own package, that wants a key and counts calls. */
export class NotesServer {
  readonly key = "Bearer let-me-in";
  calls: { tool: string; given: unknown }[] = [];
  private server: Server | undefined;

  async start(): Promise<string> {
    this.server = createServer((request, response) => void this.answer(request, response));
    await new Promise<void>((done) => this.server?.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/mcp`;
  }

  async close(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((done) => this.server?.close(done));
  }

  private async answer(request: IncomingMessage, response: import("node:http").ServerResponse): Promise<void> {
    if (request.headers.authorization !== this.key) {
      response.writeHead(401).end();
      return;
    }
    if (request.method !== "POST") {
      response.writeHead(405, { Allow: "POST" }).end();
      return;
    }
    const transport = new StreamableHTTPServerTransport({});
    response.on("close", () => void transport.close());
    await this.tools().connect(transport as Parameters<McpServer["connect"]>[0]);
    await transport.handleRequest(request, response);
  }

  private tools(): McpServer {
    const server = new McpServer({ name: "notes", version: "1" });
    const count = (tool: string, given: unknown) => this.calls.push({ tool, given });
    server.registerTool(
      "find",
      { description: "Finds a note", inputSchema: { word: z.enum(["plants", "milk", "bread"]) } },
      ({ word }) => {
        count("find", { word });
        return { content: [{ type: "text", text: `The note about ${word} says: water the plants on Friday.` }] };
      },
    );
    server.registerTool("burn", { description: "Burns all notes", inputSchema: {} }, () => {
      count("burn", {});
      return { isError: true, content: [{ type: "text", text: "there are no matches" }] };
    });
    return server;
  }
}
