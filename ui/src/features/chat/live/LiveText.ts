import { GrowingMarkdown, type Segment } from "../markdown/blocks";

/** Of the time, at most a quarter goes into parsing: a block that is slow to parse is shown less often. */
const SHARE = 4;

/**
 * A text that streams in. It is parsed and shown at most once a frame, however many tokens come within it.
 * It owns what has come; whoever shows it subscribes.
 */
export class LiveText {
  private readonly markdown = new GrowingMarkdown();
  private pending = "";
  private whole = "";
  private frame: number | undefined;
  private notBefore = 0;
  private readonly listeners = new Set<() => void>();

  /** `known`: what there was of it before anybody followed it here. */
  constructor(readonly known = "") {
    this.append(known);
    if (known !== "") this.flush();
  }

  /** Everything that came, shown or not yet. */
  get text(): string {
    return this.whole;
  }

  readonly segments = (): readonly Segment[] => this.markdown.segments;

  append(text: string): void {
    if (text === "") return;
    this.whole += text;
    this.pending += text;
    this.schedule();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Shows what has come at once, as at the end. */
  flush(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.frame = undefined;
    const began = performance.now();
    this.markdown.append(this.pending);
    this.pending = "";
    const ended = performance.now();
    this.notBefore = ended + (ended - began) * SHARE;
    for (const listener of this.listeners) listener();
  }

  private schedule(): void {
    this.frame ??= requestAnimationFrame((now) => {
      this.frame = undefined;
      if (now < this.notBefore) this.schedule();
      else this.flush();
    });
  }
}
