import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import type { Tool, ToolMode } from "./tool";

export type ToolSettings = Schemas["ToolSettings"];
export type McpServer = Schemas["ShownServer"];

/** What the server keeps of tools: MCP servers, and how each tool may be used. */
export const toolSettings = queryOptions({
  queryKey: ["tools", "settings"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/ui/tools", { signal })),
});

/** How a tool may be used where nobody has said anything: one's own servers were added to be used. */
const UNSAID = { own: { enabled: false, approval: "ask" }, server: { enabled: true, approval: "ask" } } as const;

export function modeOf(settings: ToolSettings | undefined, tool: Pick<Tool, "server" | "name">): ToolMode {
  if (settings === undefined) return { enabled: false, approval: "ask" };
  const modes =
    tool.server === "" ? settings.built_in : settings.servers.find(({ name }) => name === tool.server)?.tools;
  const unsaid = tool.server === "" ? UNSAID.own : UNSAID.server;
  // What nobody has changed needs no approval to tell the time or to add numbers.
  const harmless = tool.server === "" && (tool.name === "calculator" || tool.name === "clock");
  return { ...unsaid, ...(harmless ? { approval: "always" as const } : {}), ...modes?.[tool.name] };
}

/** Returns the mode of tools, and every way to change it. Each way gives the settings as they are then. */
export function useToolSettings() {
  const client = useQueryClient();
  const query = useQuery(toolSettings);
  const onSuccess = (settings: ToolSettings) => client.setQueryData(toolSettings.queryKey, settings);
  const setMode = useMutation({
    mutationFn: ({ tool, mode }: { tool: Pick<Tool, "server" | "name">; mode: ToolMode }) =>
      unwrap(api.POST("/api/ui/tools/mode", { body: { server: tool.server, tool: tool.name, ...mode } })),
    onSuccess,
  });
  const setPrivateFetch = useMutation({
    mutationFn: (allowed: boolean) => unwrap(api.POST("/api/ui/tools/private-fetch", { body: { allowed } })),
    onSuccess,
  });
  const saveServer = useMutation({
    mutationFn: (body: Schemas["SaveServerRequest"]) => unwrap(api.POST("/api/ui/tools/servers", { body })),
    onSuccess,
  });
  const deleteServer = useMutation({
    mutationFn: (name: string) => unwrap(api.DELETE("/api/ui/tools/servers/{name}", { params: { path: { name } } })),
    onSuccess,
  });
  return { query, settings: query.data, setMode, setPrivateFetch, saveServer, deleteServer };
}
