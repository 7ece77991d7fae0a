import { createContext, use, useSyncExternalStore } from "react";

/** How far an answer that has not ended is. */
export interface AnswerProgress {
  prefill?: { done: number; total: number };
  tokensPerSecond?: number;
  /** What it waits for, in words. */
  note?: string;
}

/** Holds the progress of the answers that stream, by their messages' ids. */
export class ProgressBoard {
  private readonly byId = new Map<string, AnswerProgress>();
  private readonly listeners = new Set<() => void>();

  readonly get = (id: string): AnswerProgress | undefined => this.byId.get(id);

  set(id: string, progress: AnswerProgress | undefined): void {
    if (progress === undefined) this.byId.delete(id);
    else this.byId.set(id, progress);
    for (const listener of this.listeners) listener();
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
