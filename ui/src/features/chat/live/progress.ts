import { createContext, use, useSyncExternalStore } from "react";

/** How far an answer that has not ended is. */
export interface AnswerProgress {
  /** What it waits for. */
  stage?: "loading" | "queued" | "prefill";
  prefill?: { done: number; total: number };
  /** Over the last seconds. */
  tokensPerSecond?: number;
}

const SHOWN_EVERY_MS = 500;
const WINDOW_MS = 5_000;

/** Holds the progress of the answers that stream, by their messages' ids. */
export class ProgressBoard {
  private readonly byId = new Map<string, AnswerProgress>();
  private readonly counts = new Map<string, { at: number; tokens: number }[]>();
  private readonly listeners = new Set<() => void>();

  readonly get = (id: string): AnswerProgress | undefined => this.byId.get(id);

  set(id: string, progress: AnswerProgress | undefined): void {
    if (progress === undefined) {
      this.byId.delete(id);
      this.counts.delete(id);
    } else this.byId.set(id, progress);
    for (const listener of this.listeners) listener();
  }

  /** The answer has `tokens` by now. Its speed is shown twice a second. */
  token(id: string, tokens: number, at = performance.now()): void {
    const counts = this.counts.get(id) ?? [];
    this.counts.set(id, counts);
    const last = counts.at(-1);
    if (last !== undefined && at - last.at < SHOWN_EVERY_MS) return;
    counts.push({ at, tokens });
    while ((counts[0]?.at ?? at) < at - WINDOW_MS) counts.shift();
    const first = counts[0];
    if (first === undefined || at === first.at) return this.set(id, {});
    this.set(id, { tokensPerSecond: ((tokens - first.tokens) * 1000) / (at - first.at) });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
}

export const ProgressContext = createContext(new ProgressBoard());

export function useAnswerProgress(id: string): AnswerProgress | undefined {
  const board = use(ProgressContext);
  return useSyncExternalStore(board.subscribe, () => board.get(id));
}
