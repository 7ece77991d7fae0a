/** The MCP server knows a session no more, as after its restart: nothing was run, and another is to be opened. */
export class SessionEnded extends Error {}
