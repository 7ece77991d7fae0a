"""What the core hands to its shell: messages to send, and totals for the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlxr.runtime.messages.tokenizer import (
    Embedded,
    PromptRead,
    PromptTokenLogprobs,
    RequestDone,
    RequestFailed,
    TokenRow,
)


@dataclass(slots=True)
class Outcome:
    """What an event leads to, for the shell to send on."""

    rows: list[TokenRow] = field(default_factory=list)
    prompt_logprobs: list[PromptTokenLogprobs] = field(default_factory=list)
    prompts_read: list[PromptRead] = field(default_factory=list)
    embedded: list[Embedded] = field(default_factory=list)
    done: list[RequestDone] = field(default_factory=list)
    failed: list[RequestFailed] = field(default_factory=list)


@dataclass(slots=True)
class Counters:
    """Totals since the engine started. Each is counted by the part of the core where it happens."""

    steps: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    cached_tokens: int = 0
    preemptions: int = 0
    executor_restarts: int = 0
    drafter_failures: int = 0
    device_seconds: float = 0.0
    wait_seconds: float = 0.0
    prefill_tokens: int = 0
    decode_rows: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    drafts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of drafts of each kind, how many tokens were verified, and were right."""
