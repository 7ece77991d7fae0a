import type { McpServer } from "../settings";
import { type Tool, toolId } from "../tool";
import type { McpSession } from "./client";
import { SessionEnded } from "./sessionEnded";

/** How it stands with one MCP server. */
export type Connection =
  | { state: "connecting" }
  | { state: "open"; title: string; tools: readonly Tool[] }
  | { state: "failed"; error: string };

interface Kept {
  key: string;
  stop: AbortController;
  session: McpSession | undefined;
  connection: Connection;
  /** Settles once it is known how it stands. */
  opened: Promise<void>;
}

/** Opens sessions; the real one comes with the protocol's package, once there is a server to speak to. */
export type Open = (name: string, signal: AbortSignal, onChanged: () => void) => Promise<McpSession>;

const open: Open = async (...given) => (await import("./client")).openSession(...given);

/** Owns the sessions with MCP servers, one for each that is switched on. */
export class McpConnections {
  private readonly kept = new Map<string, Kept>();
  private readonly listeners = new Set<() => void>();
  private shown: ReadonlyMap<string, Connection> = new Map();

  constructor(private readonly open_: Open = open) {}

  /** Connects to those of `servers` that are switched on, and lets go of all others. */
  follow(servers: readonly McpServer[]): void {
    const wanted = new Map(servers.filter(({ enabled }) => enabled).map((server) => [server.name, keyOf(server)]));
    for (const [name, { key }] of this.kept) if (wanted.get(name) !== key) this.drop(name);
    for (const [name, key] of wanted) if (!this.kept.has(name)) this.connect(name, key);
    this.changed();
  }

  /** Tries again to reach a server, or lists its tools anew. */
  reconnect(name: string): void {
    const key = this.kept.get(name)?.key;
    if (key === undefined) return;
    this.drop(name);
    this.connect(name, key);
    this.changed();
  }

  close(): void {
    for (const name of [...this.kept.keys()]) this.drop(name);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly all = (): ReadonlyMap<string, Connection> => this.shown;

  private connect(name: string, key: string): void {
    const kept: Kept = {
      key,
      stop: new AbortController(),
      session: undefined,
      connection: { state: "connecting" },
      opened: Promise.resolve(),
    };
    this.kept.set(name, kept);
    const listChanged = () => this.kept.get(name) === kept && this.reconnect(name);
    kept.opened = this.open_(name, kept.stop.signal, listChanged).then(
      (session) => {
        if (kept.stop.signal.aborted) return void session.close().catch(() => {});
        kept.session = session;
        kept.connection = { state: "open", title: session.title, tools: this.toolsOf(name, session) };
        this.changed();
      },
      (error: unknown) => {
        if (kept.stop.signal.aborted) return;
        kept.connection = { state: "failed", error: error instanceof Error ? error.message : String(error) };
        this.changed();
      },
    );
  }

  private toolsOf(server: string, session: McpSession): Tool[] {
    return session.tools.map(({ name, description, parameters }) => ({
      id: toolId(server, name),
      server,
      name,
      description,
      parameters,
      run: (given, signal) =>
        session.call(name, given, signal).catch(async (error: unknown) => {
          if (!(error instanceof SessionEnded)) throw error;
          return (await this.renewed(server, session)).call(name, given, signal);
        }),
    }));
  }

  /** Returns the session that has taken the place of `ended`. Throws an `Error` where the server can't be reached. */
  private async renewed(name: string, ended: McpSession): Promise<McpSession> {
    if (this.kept.get(name)?.session === ended) this.reconnect(name);
    const kept = this.kept.get(name);
    await kept?.opened;
    if (kept?.session !== undefined) return kept.session;
    throw new Error(kept?.connection.state === "failed" ? kept.connection.error : `${name} is switched off`);
  }

  private drop(name: string): void {
    const kept = this.kept.get(name);
    this.kept.delete(name);
    kept?.stop.abort();
    kept?.session?.close().catch(() => {});
  }

  private changed(): void {
    this.shown = new Map([...this.kept].map(([name, { connection }]) => [name, connection]));
    for (const listener of this.listeners) listener();
  }
}

/** What a session belongs to: another address or other headers need another session. */
const keyOf = ({ url, headers }: McpServer): string => JSON.stringify([url, headers]);
