export type Typeset = typeof import("./typeset").typeset;

/** Loads KaTeX when somebody first asks for it, and tells those who wait. */
class Typesetter {
  private loaded: Typeset | null = null;
  private readonly waiting = new Set<() => void>();

  readonly get = (): Typeset | null => this.loaded;

  readonly subscribe = (listener: () => void): (() => void) => {
    if (this.loaded === null && this.waiting.size === 0) void this.load();
    this.waiting.add(listener);
    return () => this.waiting.delete(listener);
  };

  private async load(): Promise<void> {
    // Without it formulas stay as they were written.
    const module = await import("./typeset").catch(() => null);
    if (module === null) return;
    this.loaded = module.typeset;
    for (const listener of this.waiting) listener();
  }
}

export const typesetter = new Typesetter();
