import { useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { BUILT_IN } from "./builtin";
import type { Connection, McpConnections } from "./mcp/connections";
import { ToolRunner } from "./runner";
import { modeOf, type ToolSettings, toolSettings } from "./settings";
import type { Tool } from "./tool";

/** The tools of this page: those there are, those that models are told of, and what runs. */
export interface Tools {
  settings: ToolSettings | undefined;
  all: readonly Tool[];
  /** Those that are switched on. */
  active: readonly Tool[];
  connections: ReadonlyMap<string, Connection>;
  reconnect: (server: string) => void;
  runner: ToolRunner;
  /** What the next answer has to call: auto, none, required, or a tool's id. */
  choice: string;
  setChoice: (choice: string) => void;
}

const never = () => () => {};
const NONE: ReadonlyMap<string, Connection> = new Map();
const none = () => NONE;

const ToolsContext = createContext<Tools | null>(null);

export function useTools(): Tools {
  const tools = use(ToolsContext);
  if (tools === null) throw new Error("there are no tools around this component");
  return tools;
}

/** Keeps up the sessions with MCP servers, and runs calls, for as long as it is shown. */
export function ToolsProvider({ children }: { children: ReactNode }) {
  const { data: settings } = useQuery(toolSettings);
  const [connections, setConnections] = useState<McpConnections | null>(null);
  const [runner] = useState(() => new ToolRunner());
  const [choice, setChoice] = useState("auto");
  const connected = useSyncExternalStore(connections?.subscribe ?? never, connections?.all ?? none);
  const wanted = settings !== undefined && settings.servers.length > 0;
  useEffect(() => {
    if (!wanted) return;
    void import("./mcp/connections").then(({ McpConnections: Made }) => setConnections((now) => now ?? new Made()));
  }, [wanted]);
  useEffect(() => {
    if (settings !== undefined) connections?.follow(settings.servers);
  }, [connections, settings]);
  // Whoever leaves the page lets what runs come to its end.
  useEffect(() => () => runner.onIdle(() => connections?.close()), [connections, runner]);
  const tools = useMemo((): Tools => {
    const others = [...connected.values()].flatMap((each) => (each.state === "open" ? each.tools : []));
    const all = [...BUILT_IN, ...others];
    const active = all.filter((tool) => modeOf(settings, tool).enabled);
    const known = choice === "auto" || choice === "none" || active.length > 0;
    const chosen = known && (["auto", "none", "required"].includes(choice) || active.some(({ id }) => id === choice));
    return {
      settings,
      all,
      active,
      connections: connected,
      reconnect: (server) => connections?.reconnect(server),
      runner,
      choice: chosen ? choice : "auto",
      setChoice,
    };
  }, [connected, connections, settings, runner, choice]);
  return <ToolsContext value={tools}>{children}</ToolsContext>;
}
