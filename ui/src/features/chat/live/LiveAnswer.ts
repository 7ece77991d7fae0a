import type { Message, Part } from "../model";
import type { ChatCall, ChatLogprob, ChatTurn } from "../wire";
import { LiveText } from "./LiveText";

/** A piece of an answer, as the server tells it. */
export interface AnswerDelta {
  message: string;
  start: number;
  tokens: number;
  text?: string;
  reasoning?: string;
  tool_calls?: { index: number; id?: string; name?: string; arguments?: string }[];
  logprobs?: ChatLogprob[];
}

/** What became of a piece: it was taken, it was known, or something before it is missing. */
export type Taken = "taken" | "known" | "gap";

/** An answer on its way: what the server had of it when the page began to follow, and what has come since. */
export class LiveAnswer {
  readonly logprobs: ChatLogprob[];
  private readonly text: LiveText;
  private readonly reasoning: LiveText;
  private calls: readonly ChatCall[];
  private tokens: number;
  private parts: readonly Part[];

  /** `changed` is told when there are other parts than before, not when one grows. */
  constructor(
    readonly turn: ChatTurn,
    private readonly changed: () => void,
  ) {
    this.tokens = turn.tokens ?? 0;
    this.calls = turn.tool_calls ?? [];
    this.logprobs = [...(turn.logprobs ?? [])];
    this.text = new LiveText((turn.content ?? []).map((part) => (part.type === "text" ? part.text : "")).join(""));
    this.reasoning = new LiveText(turn.reasoning ?? "");
    this.parts = this.makeParts();
  }

  /** Whether it stands at `tokens` tokens, neither fewer nor more. */
  has(tokens: number): boolean {
    return tokens === this.tokens;
  }

  take(delta: AnswerDelta): Taken {
    if (delta.tokens <= this.tokens && this.tokens > 0) return "known";
    if (delta.start !== this.tokens) return "gap";
    this.tokens = delta.tokens;
    const had = this.shape();
    this.reasoning.append(delta.reasoning ?? "");
    this.text.append(delta.text ?? "");
    this.logprobs.push(...(delta.logprobs ?? []));
    for (const { index, id, name, arguments: more } of delta.tool_calls ?? []) {
      const call = this.calls[index] ?? { id: id ?? String(index), name: name ?? "" };
      const calls = [...this.calls];
      calls[index] = { ...call, arguments: (call.arguments ?? "") + (more ?? "") };
      this.calls = calls;
    }
    if (had !== this.shape() || (delta.tool_calls?.length ?? 0) > 0) {
      this.parts = this.makeParts();
      this.changed();
    }
    return "taken";
  }

  /** The answer as the thread shows it now. */
  message(siblings: readonly string[]): Message {
    const state = this.shape() === "" ? (this.turn.state ?? "waiting") : "streaming";
    return { id: this.turn.id, role: "assistant", state, parts: this.parts, siblings, turn: this.turn };
  }

  /** Shows everything that has come, as at the end. */
  flush(): void {
    this.reasoning.flush();
    this.text.flush();
  }

  private shape(): string {
    return `${this.reasoning.text === "" ? "" : "r"}${this.text.text === "" ? "" : "t"}${this.calls.length || ""}`;
  }

  private makeParts(): readonly Part[] {
    const parts: Part[] = [];
    if (this.reasoning.text !== "") {
      const seconds = this.turn.reasoning_seconds ?? null;
      parts.push({ kind: "reasoning", text: "", seconds, live: this.reasoning });
    }
    if (this.text.text !== "") parts.push({ kind: "text", text: "", live: this.text });
    for (const call of this.calls) parts.push({ kind: "call", call });
    return parts;
  }
}
