import type { CallResult } from "../wire";
import { parsedArguments, type Tool, type ToolMode } from "./tool";

/** A call of an answer, as the server keeps it. */
export interface Call {
  id: string;
  name: string;
  arguments?: string;
  state?: "waiting" | "running" | "done" | "failed" | "denied";
}

/** An answer that waits for the results of its calls. `round`: how many answers since the person spoke have called. */
export interface Calling {
  message: string;
  round: number;
  calls: readonly Call[];
}

/** What the runner needs of the world. */
export interface RunnerWorld {
  find: (id: string) => Tool | undefined;
  mode: (tool: Tool) => ToolMode;
  /** Tells the other tabs that a call runs, or waits again. Throws where another tab has it already. */
  setState: (message: string, call: string, state: "running" | "waiting") => Promise<void>;
  /** Gives results to the server, which goes on with the answer once it has them all. */
  give: (message: string, results: CallResult[]) => Promise<void>;
  /** Runs `work` unless another tab of this browser is at it. */
  alone: (name: string, work: () => Promise<void>) => Promise<void>;
}

/** Answers in a row that may call tools without anybody being asked. */
export const MOST_ROUNDS = 10;

const LONGEST_RESULT = 200_000;

/** Owns the calls that run in this tab. Each call has one result, whoever gives it first. */
export class ToolRunner {
  private readonly running = new Map<string, AbortController>();
  private whenIdle: (() => void)[] = [];
  private readonly errors = new Map<string, string>();
  private readonly begun = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private changes = 0;
  world: RunnerWorld | undefined;

  /** Begins what needs no approval, and denies what nobody may call. To be called with every change of a chat. */
  consider(answers: readonly Calling[]): void {
    for (const { message, round, calls } of answers) {
      for (const call of calls) {
        const key = keyOf(message, call.id);
        if ((call.state ?? "waiting") !== "waiting" || this.begun.has(key)) continue;
        const tool = this.world?.find(call.name);
        // A server that still connects may bring it.
        if (tool === undefined || this.world === undefined) continue;
        const { approval } = this.world.mode(tool);
        if (approval === "never")
          this.begin(message, call, (world) => world.give(message, [refusal(call, NOT_ALLOWED)]));
        if (approval === "always" && round <= MOST_ROUNDS) this.approve(message, call);
      }
    }
  }

  /** Runs a call that the person agreed to, with the arguments as they left them. */
  approve(message: string, call: Call, given: string = call.arguments ?? ""): void {
    this.begin(message, call, (world) => this.run(world, message, call, given));
  }

  /** Runs a call here that another tab has begun, and perhaps died with. */
  takeOver(message: string, call: Call): void {
    this.begin(message, call, async (world) => {
      await world.setState(message, call.id, "waiting");
      await this.run(world, message, call, call.arguments ?? "");
    });
  }

  deny(message: string, call: Call): void {
    this.begin(message, call, (world) => world.give(message, [refusal(call, DENIED)]));
  }

  /** Ends a call that runs here; the model is told. */
  cancel(message: string, call: Call): void {
    this.running.get(keyOf(message, call.id))?.abort(new Error("the person stopped it"));
  }

  runsHere = (message: string, call: string): boolean => this.running.has(keyOf(message, call));
  /** Why a result could not be given. */
  error = (message: string, call: string): string | undefined => this.errors.get(keyOf(message, call));
  version = (): number => this.changes;
  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Calls `then` once nothing runs here. */
  onIdle(then: () => void): void {
    if (this.running.size === 0) then();
    else this.whenIdle.push(then);
  }

  private begin(message: string, call: Call, work: (world: RunnerWorld) => Promise<void>): void {
    const { world } = this;
    const key = keyOf(message, call.id);
    if (this.running.has(key) || world === undefined) return;
    this.begun.add(key);
    this.errors.delete(key);
    world
      .alone(key, () => work(world))
      .catch((error: unknown) => {
        this.errors.set(key, wordsOf(error));
        this.changed();
      });
    this.changed();
  }

  private async run(world: RunnerWorld, message: string, call: Call, given: string): Promise<void> {
    const key = keyOf(message, call.id);
    const stop = new AbortController();
    this.running.set(key, stop);
    this.changed();
    try {
      await world.setState(message, call.id, "running");
      await world.give(message, [await resultOf(world, call, given, stop.signal)]);
    } finally {
      this.running.delete(key);
      this.changed();
      if (this.running.size === 0) for (const then of this.whenIdle.splice(0)) then();
    }
  }

  private changed(): void {
    this.changes += 1;
    for (const listener of this.listeners) listener();
  }
}

/** Runs the tool, and returns what the model is told of it. */
async function resultOf(world: RunnerWorld, call: Call, given: string, signal: AbortSignal): Promise<CallResult> {
  const told = given === (call.arguments ?? "") ? "" : `(The person changed the arguments to ${given})\n`;
  try {
    const tool = world.find(call.name);
    if (tool === undefined) throw new Error(`there is no tool ${call.name} now`);
    let values: Record<string, unknown>;
    try {
      values = parsedArguments(given);
    } catch {
      throw new Error(`the arguments of ${call.name} are no JSON object`);
    }
    const result = await stoppable(tool.run(values, signal), signal);
    return { call: call.id, result: `${told}${cut(result)}`, state: "done" };
  } catch (error) {
    return { call: call.id, result: `${told}Error: ${wordsOf(error)}`, state: "failed" };
  }
}

const refusal = (call: Call, result: string): CallResult => ({ call: call.id, result, state: "denied" });

const DENIED = "The person denied this call. Go on without it, or ask them.";
const NOT_ALLOWED = "This tool may not be called. Go on without it.";

const keyOf = (message: string, call: string): string => `${message} ${call}`;

const cut = (text: string): string =>
  text.length <= LONGEST_RESULT
    ? text
    : `${text.slice(0, LONGEST_RESULT)}\n[${text.length - LONGEST_RESULT} characters left out]`;

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Waits for `work` no longer than until `signal`, whether or not the work heeds it. */
function stoppable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

/** Runs `work` unless another tab of this browser is at it. In browsers without locks (http on a network) each does. */
export async function aloneInBrowser(name: string, work: () => Promise<void>): Promise<void> {
  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined) return work();
  await locks.request(`mlxr.call ${name}`, { ifAvailable: true }, (lock) => (lock === null ? undefined : work()));
}
