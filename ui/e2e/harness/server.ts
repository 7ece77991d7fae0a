import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../../..");
const MLXR = join(ROOT, ".venv/bin/mlxr");
const READY_MS = 180_000;

/** The models that `make models` fetches, by their names. */
export const MODELS = {
  smollm2: join(ROOT, ".cache/models/smollm2.gguf"),
  gemma3: join(ROOT, ".cache/models/gemma3.gguf"),
};

/** One `mlxr up` over a home of its own. */
export class Server {
  readonly home = mkdtempSync(join(tmpdir(), "mlxr-e2e-"));
  readonly url: string;
  private process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly options: readonly string[],
  ) {
    this.url = `http://127.0.0.1:${port}`;
  }

  /** A server that has `models` and answers. `options` are those of `mlxr up`. */
  static async start(
    models: readonly (keyof typeof MODELS)[] = ["smollm2"],
    options: readonly string[] = [],
  ): Promise<Server> {
    const server = new Server(await freePort(), options);
    try {
      for (const model of models) server.run("pull", MODELS[model]);
      await server.up(models[0]);
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** Runs an `mlxr` command in this home and returns what it printed. */
  run(...command: string[]): string {
    return execFileSync(MLXR, command, {
      env: this.environment(),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Starts the server again after `kill`, at the same address. */
  async up(model?: string): Promise<void> {
    const log = openSync(join(this.home, "server.out"), "a");
    const command = ["up", ...(model === undefined ? [] : [model]), "--port", String(this.port), ...this.options];
    this.process = spawn(MLXR, command, { env: this.environment(), stdio: ["ignore", log, log] });
    closeSync(log);
    const deadline = Date.now() + READY_MS;
    while (!(await this.isReady())) {
      if (this.process.exitCode !== null || Date.now() > deadline)
        throw new Error(`the server did not come up: ${this.log()}`);
      await new Promise((after) => setTimeout(after, 100));
    }
  }

  /** Kills the server and all its actors at once, as a crash or a lost machine would. */
  async kill(): Promise<void> {
    const pids = [this.pid(), ...this.descendants(this.pid())];
    for (const pid of pids) signal(pid);
    await this.ended();
  }

  /** Kills the process that computes. */
  killExecutor(): void {
    const executors = this.descendants(this.pid()).filter((pid) => commandOf(pid).includes("mlxr.runtime.host"));
    if (executors.length === 0) throw new Error("no executor runs");
    for (const pid of executors) signal(pid);
  }

  log(): string {
    return readFileSync(join(this.home, "server.out"), "utf8");
  }

  /** Ends the server and removes its home. */
  async close(): Promise<void> {
    if (this.process !== undefined && this.process.exitCode === null) {
      this.process.kill("SIGTERM");
      await this.ended();
    }
    rmSync(this.home, { recursive: true, force: true });
  }

  private environment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("MLXR_"));
    // Other tools keep their models in a person's home: whoever runs the tests has some, perhaps.
    return { ...Object.fromEntries(inherited), MLXR_HOME: this.home, HOME: this.home };
  }

  private async isReady(): Promise<boolean> {
    return fetch(`${this.url}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
  }

  private pid(): number {
    if (this.process?.pid === undefined) throw new Error("the server does not run");
    return this.process.pid;
  }

  private descendants(parent: number): number[] {
    const rows = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
    const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number) as [number, number]);
    const children = pairs.filter(([, ppid]) => ppid === parent).map(([pid]) => pid);
    return children.flatMap((pid) => [pid, ...this.descendants(pid)]);
  }

  private async ended(): Promise<void> {
    const server = this.process;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    await new Promise((done) => server.once("exit", done));
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
}

function commandOf(pid: number): string {
  try {
    return execFileSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return "";
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
  const address = probe.address();
  await new Promise((done) => probe.close(done));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
