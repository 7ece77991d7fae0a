import { followEvents, type ServerEvent, type StreamState } from "@/api/events";
import { isOpen } from "../model";
import type { Chat, ChatDetail, ChatTurn } from "../wire";
import { type AnswerDelta, LiveAnswer } from "./LiveAnswer";
import { ProgressBoard } from "./progress";

/** Where the follower keeps what it learns: the query cache. */
export interface ChatCache {
  read: () => ChatDetail | undefined;
  write: (detail: ChatDetail) => void;
  /** Asks the server for the whole chat. */
  fetch: () => Promise<ChatDetail>;
  /** The chat is gone. */
  drop: () => void;
}

interface Waits {
  message: string;
  stage: "loading" | "queued" | "prefill";
  done: number;
  total: number;
}

/**
 * Follows what happens in a chat: writes what changes into the cache, and owns the answers that stream in. Events that
 * come before the chat itself wait for it, and those that it has already change nothing.
 */
export class ChatFollower {
  readonly progress = new ProgressBoard();
  private readonly answers = new Map<string, LiveAnswer>();
  private readonly listeners = new Set<() => void>();
  private state: StreamState = "connecting";
  private changes = 0;
  private waiting: ServerEvent[] | null = [];

  constructor(
    private readonly path: string,
    private readonly cache: ChatCache,
  ) {}

  /** Follows until the returned function is called. */
  start(): () => void {
    return followEvents(this.path, {
      onEvent: (event) => this.take(event),
      onState: (state) => {
        this.state = state;
        if (state === "open") void this.load();
        this.changed();
      },
    });
  }

  /** Grows with every change that is not the growth of a text. */
  readonly version = (): number => this.changes;
  readonly connection = (): StreamState => this.state;
  readonly answer = (id: string): LiveAnswer | undefined => this.answers.get(id);

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Takes what a request of this page led to, which is told as events, too. */
  learn(chat: Chat, turns: readonly ChatTurn[]): void {
    this.takeChat(chat);
    for (const turn of turns) this.takeTurn(turn);
  }

  take(event: ServerEvent): void {
    if (this.waiting !== null) {
      this.waiting.push(event);
      return;
    }
    const data: unknown = JSON.parse(event.data);
    switch (event.name) {
      case "chat":
        return this.takeChat(data as Chat);
      case "message":
        return this.takeTurn(data as ChatTurn);
      case "delta":
        return this.takeDelta(data as AnswerDelta);
      case "waits":
        return this.takeWaits(data as Waits);
      case "removed":
        return this.takeRemoved(data as { messages?: string[] });
      case "reset":
        return void this.load();
    }
  }

  /** Reads the whole chat, and then what came in the meantime. */
  private async load(): Promise<void> {
    this.waiting ??= [];
    try {
      const detail = await this.cache.fetch();
      this.answers.clear();
      for (const turn of detail.messages) this.track(turn);
    } catch {
      // The query shows why; the events go on as soon as there is a chat.
    }
    const events = this.waiting;
    this.waiting = null;
    for (const event of events ?? []) this.take(event);
    this.changed();
  }

  private takeChat(chat: Chat): void {
    const known = this.cache.read();
    if (known === undefined || (chat.version ?? 0) < (known.chat.version ?? 0)) return;
    this.cache.write({ ...known, chat });
  }

  private takeTurn(turn: ChatTurn): void {
    const known = this.cache.read();
    if (known === undefined) return;
    const at = known.messages.findIndex(({ id }) => id === turn.id);
    const old = known.messages[at];
    // What a request answers may be older than what the events have told since.
    if (old !== undefined && isOpen({ state: turn.state ?? "done" }) && !isOpen({ state: old.state ?? "done" })) return;
    if (old !== undefined && this.answers.has(turn.id) && isOpen({ state: turn.state ?? "done" })) return;
    const messages = old === undefined ? [...known.messages, turn] : known.messages.with(at, turn);
    this.cache.write({ ...known, messages });
    this.track(turn);
    this.changed();
  }

  private track(turn: ChatTurn): void {
    if (isOpen({ state: turn.state ?? "done" })) {
      this.answers.set(turn.id, new LiveAnswer(turn, () => this.changed()));
      return;
    }
    this.answers.get(turn.id)?.flush();
    this.answers.delete(turn.id);
    this.progress.set(turn.id, undefined);
  }

  private takeDelta(delta: AnswerDelta): void {
    const taken = this.answers.get(delta.message)?.take(delta);
    if (taken === "gap") void this.load();
    if (taken === "taken") this.progress.token(delta.message, delta.tokens);
  }

  private takeWaits({ message, stage, done, total }: Waits): void {
    this.progress.set(message, stage === "prefill" && total > 0 ? { stage, prefill: { done, total } } : { stage });
  }

  private takeRemoved({ messages }: { messages?: string[] }): void {
    const known = this.cache.read();
    if (messages === undefined) return this.cache.drop();
    if (known === undefined) return;
    const gone = new Set(messages);
    this.cache.write({ ...known, messages: known.messages.filter(({ id }) => !gone.has(id)) });
  }

  private changed(): void {
    this.changes += 1;
    for (const listener of this.listeners) listener();
  }
}
