"""The tokenizer's inbox: prompts on their way in, token ids on their way out."""

from __future__ import annotations

from typing import Any

from mlxr.runtime.messages.common import (
    Adapter,
    Constraint,
    ErrorInfo,
    FinishReason,
    Json,
    Message,
    Sampling,
    TokenLogprob,
    Usage,
    Value,
)
from mlxr.runtime.messages.token_ids import TokenIds


class ToolCall(Value, frozen=True):
    """A tool call in a conversation; ``arguments`` is JSON text. ``id`` is None where the client gave none."""

    id: str | None
    name: str
    arguments: str


class ChatMessage(Value, frozen=True):
    """One turn of a conversation, the same for every HTTP surface.

    Attributes:
        tool_call_id: the call whose result it is; None where the client names none.
        name: of whoever speaks, or of the function whose result it is; None where the client names none.
    """

    role: str
    content: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = []
    tool_call_id: str | None = None
    name: str | None = None


class Tool(Value, frozen=True):
    """A function the model may call; ``parameters`` is a JSON schema, which the request has in ``field``."""

    name: str
    description: str = ""
    parameters: Json = b"{}"
    strict: bool = False
    field: str = ""


class TextPrompt(Message, frozen=True):
    """Text to go on with.

    Attributes:
        add_special: whether the model's own BOS/EOS rules apply.
        parse_special: whether markers such as ``<|im_start|>`` in the text become control tokens.
    """

    text: str
    add_special: bool = True
    parse_special: bool = True


class TokenPrompt(Message, frozen=True):
    tokens: list[int]


class FillPrompt(Message, frozen=True):
    """Fill in the middle: text before and after the gap."""

    prefix: str
    suffix: str


class ChatPrompt(Message, frozen=True):
    """A conversation to render by the model's chat template.

    Attributes:
        tool_choice: auto, none, required, or a function's name.
        reasoning_effort: "none" for no reasoning, "on", or an effort (low, medium, high); None leaves it to the
            template.
        template: replaces the model's own.
        continue_final: the last message is an assistant's, to be continued rather than answered.
        reasoning_budget: tokens that reasoning may take before it is ended; None for any number.
        opens_answer: the prompt ends with what an assistant's turn begins with, where the template has such a thing.
    """

    messages: list[ChatMessage]
    tools: list[Tool] = []
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    reasoning_effort: str | None = None
    template_args: dict[str, Any] = {}
    template: str | None = None
    continue_final: bool = False
    reasoning_budget: int | None = None
    opens_answer: bool = True

    @property
    def several_calls(self) -> bool:
        """Whether an answer may call more than once. A choice that names a function asks for exactly one call."""
        return self.parallel_tool_calls and self.tool_choice in ("auto", "none", "required")

    @property
    def forces_tools(self) -> bool:
        """Whether the answer must be tool calls."""
        return self.tool_choice not in ("auto", "none")


class PairPrompt(Message, frozen=True):
    """A query, and a document that is judged by it."""

    query: str
    document: str


Prompt = ChatPrompt | TextPrompt | TokenPrompt | FillPrompt | PairPrompt


class PromptPart(Message, frozen=True):
    """Command: keep a part of a prompt too long for one message; the command of the same ``request``, which comes last,
    has the rest. Texts, token ids and messages of all of them in their order are the prompt.

    ``unfinished``: the last message's content and reasoning go on in the first message of what comes next.
    """

    request: int
    prompt: Prompt
    unfinished: bool = False


class Resumed(Value, frozen=True):
    """An answer that was begun, and is to be gone on with token by token as if it had not stopped.

    Attributes:
        prompt: the token ids that its prompt had.
        output: those that it has.
        restate: what they say comes again as its first delta; else nothing is told of them.
    """

    prompt: TokenIds
    output: TokenIds
    restate: bool = False


class Generate(Message, frozen=True):
    """Command: answer ``prompt`` with ``n`` sequences.

    Attributes:
        max_tokens: None for as many as the context has room for, or as the model has of its own.
        stop_strings: texts that end a sequence and are no part of it.
        stop_tokens: ids that end a sequence, beside the model's own.
        echo: ``Started`` brings the prompt's text and ids.
        prompt_logprobs: how many alternatives are reported beside the log-probability of each token of the prompt;
            None for no such log-probabilities.
        truncate_keep: how many of its first tokens a prompt keeps that is longer than the context, beside its latest
            (Ollama's ``num_keep``); None refuses such a prompt.
        context_length: caps the context below the model's own; None for no cap.
        split_reasoning: reasoning is told apart from the answer's text.
        priority: lower runs first.
        return_tokens: ``Finished`` brings the ids of prompt and output.
        parts: how many ``PromptPart``s with the beginning of ``prompt`` were sent before.
        client: whoever asks.
        adapters: what is added to the model, one after another.
        tracked: ``Started`` brings the prompt's ids and ``Delta`` those of the output, so that the answer can be
            resumed; how far the prompt is read is told besides.
        resumed: the output goes on behind what it has already, which counts towards ``max_tokens``.
        most_drafted: tokens of a draft at most; 0 for no speculation, None for as many as are worth it.
        draft_model: the model that may draft for it: the one that its engine has, or "" or "none" for none; None leaves
            it to the engine.
        prediction: text that the output is expected to have much of.
        unlimited: that there are no ``max_tokens`` was asked for, and what the model has of its own does not count.
    """

    request: int
    prompt: Prompt
    sampling: Sampling = Sampling()
    n: int = 1
    max_tokens: int | None = None
    stop_strings: list[str] = []
    stop_tokens: list[int] = []
    ignore_eos: bool = False
    constraint: Constraint | None = None
    echo: bool = False
    prompt_logprobs: int | None = None
    truncate_keep: int | None = None
    context_length: int | None = None
    split_reasoning: bool = True
    priority: int = 0
    return_tokens: bool = False
    parts: int = 0
    client: str | None = None
    adapters: list[Adapter] = []
    tracked: bool = False
    resumed: Resumed | None = None
    most_drafted: int | None = None
    draft_model: str | None = None
    prediction: str = ""
    unlimited: bool = False


class Embed(Message, frozen=True):
    """Command: embed one input, or score a pair.

    Attributes:
        truncate: an input longer than the context is cut instead of refused.
        normalize: the embedding gets length 1.
        context_length: caps the context below the model's own; None for no cap.
        parts: as in ``Generate``.
        client: whoever asks.
        adapters: as in ``Generate``.
        prompt_name: which of the model's prompts is put before a text; None for its usual one, "" for none.
        optional_prompt: of a model without a prompt of that name the usual one is used.
    """

    request: int
    prompt: TextPrompt | TokenPrompt | PairPrompt
    truncate: bool = False
    normalize: bool = True
    context_length: int | None = None
    parts: int = 0
    client: str | None = None
    adapters: list[Adapter] = []
    prompt_name: str | None = None
    optional_prompt: bool = False


class Tokenize(Message, frozen=True):
    """Command: token ids of a prompt, without running the model. The answer has the prompt's text, its ids and the
    bytes of each only where they are wanted."""

    request: int
    prompt: Prompt
    parts: int = 0
    want_tokens: bool = False
    want_text: bool = False
    want_pieces: bool = False


class Detokenize(Message, frozen=True):
    """Command: the text of token ids."""

    request: int
    prompt: TokenPrompt
    parts: int = 0


Asked = Generate | Embed | Tokenize | Detokenize
"""Commands with a prompt, which may have come ahead of them in parts."""


class Cancel(Message, frozen=True):
    """Command: nobody waits for this request any more. Unknown requests are ignored."""

    request: int


class Queued(Message, frozen=True):
    """Event: the scheduler took the request that was submitted, and has not begun it yet."""

    request: int


class TokenRow(Value, frozen=True):
    """What one step gave one sequence. ``finish`` is set with its last tokens."""

    sequence: int
    tokens: list[int]
    logprobs: list[TokenLogprob] = []
    finish: FinishReason | None = None


class Tokens(Message, frozen=True):
    """Event: the tokens of one step, all sequences of it together. ``done_ns``: when the executor finished the step
    (``time.monotonic_ns``); None for rows that end without one."""

    step: int
    rows: list[TokenRow]
    done_ns: int | None = None


class PromptTokenLogprobs(Message, frozen=True):
    """Event: log-probabilities of prompt tokens from ``start`` on (a prompt's first token has none)."""

    request: int
    start: int
    logprobs: list[TokenLogprob]


class PromptRead(Message, frozen=True):
    """Event: ``done`` of a tracked request's ``total`` prompt tokens are read, and more are still to be."""

    request: int
    done: int
    total: int


class Embedded(Message, frozen=True):
    """Event: ``vector`` is little-endian float32."""

    request: int
    vector: bytes
    usage: Usage


class RequestDone(Message, frozen=True):
    """Event: every sequence of the request has ended and its last tokens were sent before this."""

    request: int
    usage: Usage


class RequestFailed(Message, frozen=True):
    request: int
    error: ErrorInfo


class SchedulerReset(Message, frozen=True):
    """Event: the scheduler lost its state; no request submitted before this will ever answer."""

    reason: str


TokenizerInbox = (
    PromptPart
    | Generate
    | Embed
    | Tokenize
    | Detokenize
    | Cancel
    | Queued
    | Tokens
    | PromptTokenLogprobs
    | PromptRead
    | Embedded
    | RequestDone
    | RequestFailed
    | SchedulerReset
)
