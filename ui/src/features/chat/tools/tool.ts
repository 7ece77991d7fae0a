/** What a tool does when it is called. It throws an `Error` with words for the model and the person. */
export type Run = (given: Record<string, unknown>, signal: AbortSignal) => Promise<string>;

/** A function that models may call from a chat. */
export interface Tool {
  /** As models know it, and as calls name it: unique among all tools. */
  id: string;
  /** The MCP server that has it; empty for the application's own. */
  server: string;
  /** Its name there. */
  name: string;
  description: string;
  /** The JSON schema of its arguments. */
  parameters: Record<string, unknown>;
  run: Run;
}

export type Approval = "ask" | "always" | "never";

export interface ToolMode {
  enabled: boolean;
  approval: Approval;
}

/** As a chat's answers are told of tools. */
export const asChatTool = ({ id, description, parameters }: Tool) => ({
  name: id,
  description,
  // The document says of a schema no more than that it is an object.
  parameters: parameters as Record<string, never>,
});

/** Returns the id of a server's tool: letters, digits, - and _, as models take names. */
export const toolId = (server: string, name: string): string =>
  server === "" ? name : `${server}__${name}`.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64);

/** Returns the arguments that a model wrote; throws where they are no JSON object. */
export function parsedArguments(text: string): Record<string, unknown> {
  const value: unknown = text.trim() === "" ? {} : JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not a JSON object");
  return value as Record<string, unknown>;
}

/** Returns JSON as people read it; what is none stays as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
