/** A line of code in pieces: the class of each and its text. */
export type ColouredLine = readonly (readonly [kind: string, text: string])[];

export interface HighlightRequest {
  id: number;
  code: string;
  language: string;
}

export interface HighlightAnswer {
  id: number;
  /** Null for a language that is not known. */
  lines: ColouredLine[] | null;
}

const CACHED = 200;

/** Asks a worker, which is started with the first question, and remembers its last answers. */
class Highlighter {
  private worker: Worker | undefined;
  private next = 0;
  private readonly waiting = new Map<number, (lines: ColouredLine[] | null) => void>();
  private readonly cache = new Map<string, Promise<ColouredLine[] | null>>();

  highlight(code: string, language: string): Promise<ColouredLine[] | null> {
    const key = `${language}\n${code}`;
    const known = this.cache.get(key);
    if (known !== undefined) return known;
    const asked = this.ask(code, language);
    this.cache.set(key, asked);
    const oldest = this.cache.keys().next().value;
    if (this.cache.size > CACHED && oldest !== undefined) this.cache.delete(oldest);
    return asked;
  }

  private ask(code: string, language: string): Promise<ColouredLine[] | null> {
    if (typeof Worker === "undefined") return Promise.resolve(null);
    this.worker ??= this.start();
    this.next += 1;
    const request: HighlightRequest = { id: this.next, code, language };
    this.worker.postMessage(request);
    return new Promise((answered) => this.waiting.set(request.id, answered));
  }

  private start(): Worker {
    const worker = new Worker(new URL("./highlight.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { id, lines } }: MessageEvent<HighlightAnswer>) => {
      this.waiting.get(id)?.(lines);
      this.waiting.delete(id);
    };
    return worker;
  }
}

const highlighter = new Highlighter();

/** Returns the lines of `code` in colours, or null for a language that is not known. */
export const highlight = (code: string, language: string): Promise<ColouredLine[] | null> =>
  highlighter.highlight(code, language.toLowerCase());
