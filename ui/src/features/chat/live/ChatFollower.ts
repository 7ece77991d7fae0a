import type { ApiError } from "@/api/errors";
import { followEvents, type ServerEvent, type StreamState } from "@/api/events";
import { isOpen } from "../model";
import type { Answers, Chat, ChatDetail, ChatTurn } from "../wire";
import { type AnswerDelta, LiveAnswer } from "./LiveAnswer";
import { ProgressBoard } from "./progress";

/** Where the follower keeps what it learns: the query cache, which is where everybody reads it. */
export interface ChatCache {
  read: () => ChatDetail | undefined;
  write: (detail: ChatDetail) => void;
  /** The chat was deleted. */
  drop: () => void;
}

interface Progress {
  message: string;
  stage: "loading" | "queued" | "prefill";
  done: number;
  total: number;
}

/**
 * Follows what happens in a chat (docs/ui-api.md has the protocol): writes what changes into the cache, and owns the
 * answers that stream in. Several tabs that follow one chat show the same.
 */
export class ChatFollower {
  readonly progress = new ProgressBoard();
  private readonly answers = new Map<string, LiveAnswer>();
  private readonly listeners = new Set<() => void>();
  private status: { state: StreamState; error: ApiError | null } = { state: "connecting", error: null };
  private changes = 0;
  private stop: (() => void) | undefined;

  constructor(
    private readonly path: string,
    private readonly cache: ChatCache,
  ) {}

  /** Follows until the returned function is called. */
  start(): () => void {
    for (const turn of this.cache.read()?.messages ?? []) this.track(turn);
    this.open();
    return () => this.stop?.();
  }

  /** Begins anew, as after an error. */
  open(): void {
    this.stop?.();
    this.stop = followEvents(this.path, {
      // A tab that runs an answer's tools stays connected while nobody looks at it.
      whileHidden: this.isAtWork,
      onEvent: (event) => this.take(event),
      onState: (state, error) => {
        this.status = { state, error: state === "closed" ? (error ?? null) : null };
        this.changed();
      },
    });
  }

  /** Whether an answer is on its way, or waits for a call that runs. One that waits for a person's word may do so for
   * good. */
  readonly isAtWork = (): boolean => this.cache.read()?.messages.some(goesOn) === true;

  /** Grows with every change that is not the growth of a text. */
  readonly version = (): number => this.changes;
  readonly connection = (): { state: StreamState; error: ApiError | null } => this.status;
  readonly answer = (id: string): LiveAnswer | undefined => this.answers.get(id);

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Takes what a request of this page led to. The events tell it, too, and may have told more by now. */
  learn({ chat, message, answers = [] }: Answers): void {
    const known = this.cache.read();
    if (known === undefined) return;
    const ids = new Set(known.messages.map(({ id }) => id));
    const added = [...(message == null ? [] : [message]), ...answers].filter(({ id }) => !ids.has(id));
    const newer = (chat.version ?? 0) >= (known.chat.version ?? 0) ? chat : known.chat;
    this.cache.write({ chat: newer, messages: [...known.messages, ...added] });
    for (const turn of added) this.track(turn);
    this.changed();
  }

  take({ name, data }: ServerEvent): void {
    const told: unknown = JSON.parse(data);
    switch (name) {
      case "snapshot":
        return this.takeSnapshot(told as ChatDetail);
      case "message":
        return this.takeTurn(told as ChatTurn);
      case "delta":
        return this.takeDelta(told as AnswerDelta);
      case "progress":
        return this.takeProgress(told as Progress);
      case "chat":
        return this.takeChat(told as Chat);
      case "messages_removed":
        return this.takeRemoved((told as { messages: string[] }).messages);
      case "removed":
        this.stop?.();
        return this.cache.drop();
    }
  }

  private takeSnapshot(detail: ChatDetail): void {
    const known = new Map(this.cache.read()?.messages.map((turn) => [turn.id, turn]));
    this.answers.clear();
    // What has not changed stays the same object, so that it is neither parsed nor shown again.
    const messages = detail.messages.map((turn) => sameTurn(known.get(turn.id), turn));
    this.cache.write({ ...detail, messages });
    for (const turn of messages) this.track(turn);
    this.changed();
  }

  private takeTurn(turn: ChatTurn): void {
    const known = this.cache.read();
    if (known === undefined) return;
    const live = this.answers.get(turn.id);
    if (live !== undefined && isOpen({ state: turn.state ?? "done" }) && live.has(turn.tokens ?? 0)) return;
    const at = known.messages.findIndex(({ id }) => id === turn.id);
    const messages = at < 0 ? [...known.messages, turn] : known.messages.with(at, turn);
    this.cache.write({ ...known, messages });
    this.track(turn);
    this.changed();
  }

  private track(turn: ChatTurn): void {
    this.answers.get(turn.id)?.flush();
    if (isOpen({ state: turn.state ?? "done" })) {
      this.answers.set(turn.id, new LiveAnswer(turn, () => this.changed()));
      return;
    }
    this.answers.delete(turn.id);
    this.progress.set(turn.id, undefined);
  }

  private takeDelta(delta: AnswerDelta): void {
    const taken = this.answers.get(delta.message)?.take(delta);
    // Something before it is missing: the whole comes with a new beginning.
    if (taken === "gap") this.open();
    if (taken === "taken") this.progress.token(delta.message, delta.tokens);
  }

  private takeProgress({ message, stage, done, total }: Progress): void {
    this.progress.set(message, stage === "prefill" && total > 0 ? { stage, prefill: { done, total } } : { stage });
  }

  private takeChat(chat: Chat): void {
    const known = this.cache.read();
    if (known === undefined || (chat.version ?? 0) < (known.chat.version ?? 0)) return;
    this.cache.write({ ...known, chat });
    this.changed();
  }

  private takeRemoved(ids: readonly string[]): void {
    const known = this.cache.read();
    if (known === undefined) return;
    const gone = new Set(ids);
    this.cache.write({ ...known, messages: known.messages.filter(({ id }) => !gone.has(id)) });
    this.changed();
  }

  private changed(): void {
    this.changes += 1;
    for (const listener of this.listeners) listener();
  }
}

const goesOn = ({ state = "done", tool_calls = [] }: ChatTurn): boolean =>
  isOpen({ state }) || (state === "tools" && tool_calls.some((call) => call.state === "running"));

const sameTurn = (known: ChatTurn | undefined, turn: ChatTurn): ChatTurn =>
  known !== undefined && JSON.stringify(known) === JSON.stringify(turn) ? known : turn;
