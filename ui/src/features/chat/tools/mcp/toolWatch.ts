import type { ListedTool } from "./client";
import { SessionEnded } from "./sessionEnded";

const LIST_EVERY_MS = 20_000;

/** Notices that an MCP server has other tools, or has forgotten the session, once nothing runs in that. */
export class ToolWatch {
  private calls = 0;
  private isLooking = false;
  private isChanged = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly onChanged: () => void) {}

  /** Looks from time to time, until `signal`, whether what `list` gives is still `tools`. */
  start(tools: readonly ListedTool[], list: () => Promise<readonly ListedTool[]>, signal: AbortSignal): void {
    const known = textOf(tools);
    const look = async () => {
      if (document.hidden || this.isLooking || this.calls > 0) return;
      this.isLooking = true;
      const now = await list().catch((error: unknown) => (error instanceof SessionEnded ? [] : tools));
      this.isLooking = false;
      if (textOf(now) !== known && !signal.aborted) this.changed();
    };
    this.timer = setInterval(() => void look(), LIST_EVERY_MS);
    signal.addEventListener("abort", () => this.stop());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The server says that its tools are others. */
  readonly changed = (): void => {
    this.isChanged = this.calls > 0;
    if (!this.isChanged) this.onChanged();
  };

  /** Returns what `call` gives, and lets nothing take its session away meanwhile. */
  async during<T>(call: () => Promise<T>): Promise<T> {
    this.calls += 1;
    try {
      return await call();
    } finally {
      this.calls -= 1;
      if (this.isChanged) this.changed();
    }
  }
}

/** Servers list tools in any order. */
const textOf = (tools: readonly ListedTool[]): string =>
  JSON.stringify(tools.toSorted((one, other) => (one.name < other.name ? -1 : 1)));
