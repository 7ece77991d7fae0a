"""Values that several messages carry: sampling settings, output constraints, log-probabilities, errors.

Every struct is frozen and encoded as a MessagePack array, so a new field goes last and has a default:
an older sender then still decodes.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Value(Struct, frozen=True, array_like=True):
    """Base of plain values inside messages."""


class Message(Struct, frozen=True, array_like=True, tag=True):
    """Base of everything an inbox accepts; the class name is its tag on the wire."""


Json = bytes
"""JSON text inside a message. Not ``msgspec.Raw``, which would be spliced into the MessagePack unread."""


class FinishReason(StrEnum):
    """Why one sequence ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CANCELLED = "cancelled"


class ErrorCode(StrEnum):
    """What went wrong with a request, independent of any HTTP surface."""

    INVALID = "invalid_request"
    CONTEXT_LENGTH = "context_length_exceeded"
    MODEL_NOT_FOUND = "model_not_found"
    NOT_FOUND = "not_found"
    MODEL_FAILED = "model_failed"
    PULL_FAILED = "pull_failed"
    OUT_OF_MEMORY = "out_of_memory"
    UNSUPPORTED = "unsupported"
    UNSUPPORTED_PARAMETER = "unsupported_parameter"
    QUEUE_FULL = "queue_full"
    LOADING = "loading"
    SHUTTING_DOWN = "shutting_down"
    ENGINE_FAILED = "engine_failed"
    INTERNAL = "internal_error"
    CANCELLED = "cancelled"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    STORAGE_FULL = "storage_full"


class ErrorInfo(Value, frozen=True):
    """A failure a client is told about.

    ``param`` names the request field at fault; ``retry_after`` is in seconds.
    """

    code: ErrorCode
    message: str
    param: str | None = None
    retry_after: float | None = None


class Sampling(Value, frozen=True):
    """How the next token of one sequence is chosen.

    Order of application: repetition, presence and frequency penalties, ``logit_bias``, constraint mask,
    temperature, ``top_k``, ``typical_p``, ``top_p``, ``min_p``. ``temperature`` 0 is greedy. The uniform number
    behind position *p* is a pure function of ``(seed, p)``, so a seeded request gives the same text in any batch.

    ``presence_penalty`` and ``frequency_penalty`` count generated tokens only, unless ``penalize_prompt``;
    ``repetition_penalty`` counts prompt and output.

    Attributes:
        top_k: how many of the likeliest tokens are kept, at least 1; None for all.
        penalty_window: how many of the last tokens the three penalties look at; None for all.
        logprobs: how many alternatives are reported beside each token's log-probability; None for no log-probabilities.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalize_prompt: bool = False
    penalty_window: int | None = None
    logit_bias: dict[int, float] = {}
    seed: int = 0
    logprobs: int | None = None


class ConstraintKind(StrEnum):
    """What language a grammar source is written in; ``FREE`` allows everything."""

    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    REGEX = "regex"
    LARK = "lark"
    FREE = "free"


class ReasoningSection(Value, frozen=True):
    """A section at the beginning of an output that no constraint holds.

    Attributes:
        closing: the text that ends it.
        opening: the text that begins it, where the output need not have it; None where the output begins within it.
        budget: tokens that it may have before ``closing`` is forced; None for any number.
    """

    closing: str
    opening: str | None = None
    budget: int | None = None


class Constraint(Value, frozen=True):
    """What a sequence's output must match.

    Attributes:
        kind: the language of ``source``.
        source: a JSON schema, a regular expression or a Lark grammar; unused for ``JSON_OBJECT`` and ``FREE``.
        reasoning: the section behind which the constraint begins; None where it begins with the first token.
        field: the request's field that asked for it, for errors; None where tools did.
        strict: a schema that can't be held to in every keyword is refused; of another what can't be is left out, and
            it is refused for mistakes alone.
        normalised: a schema is in terms that can be held to (``mlxr.models.constraints.normalised``); each is brought
            into them once.
        unheld: the places of schema keywords that are left out: the request's field, ``#``, and a pointer into the
            schema that it holds. For whoever asked; engines get none.
    """

    kind: ConstraintKind
    source: str = ""
    reasoning: ReasoningSection | None = None
    field: str | None = None
    strict: bool = True
    normalised: bool = False
    unheld: tuple[str, ...] = ()


class Adapter(Value, frozen=True):
    """A low-rank adapter that a request runs with.

    Attributes:
        name: what the client calls it.
        scale: what its change to the model is multiplied by.
        digest: SHA-256 in hexadecimal of its files; '' until the frontend has looked it up, as ``path``.
        path: of its file or folder.
    """

    name: str
    scale: float = 1.0
    digest: str = ""
    path: str = ""


def adapters_address(adapters: list[Adapter]) -> str:
    """Returns what pages depend on of a sequence's adapters, '' for none. Their order counts: sums are rounded."""
    return "+".join(f"{adapter.digest}*{adapter.scale!r}" for adapter in adapters)


class TokenLogprob(Value, frozen=True):
    """Log-probability of one token, with the most likely alternatives as (token id, logprob), best first."""

    token: int
    logprob: float
    top: list[tuple[int, float]] = []


class TextLogprob(Value, frozen=True):
    """``TokenLogprob`` with ids turned into text.

    Attributes:
        id: the token's id.
        token: its text.
        logprob: its log-probability.
        raw: its own bytes, which may be part of a character.
        top: text, log-probability and bytes of the alternatives, best first.
        top_ids: the ids of these.
    """

    id: int
    token: str
    logprob: float
    raw: bytes
    top: list[tuple[str, float, bytes]] = []
    top_ids: list[int] = []


class Usage(Value, frozen=True):
    """Tokens a request used, and where its time went (seconds).

    Attributes:
        restored_tokens: of the cached tokens, those that were read from the disk.
        drafted_tokens, accepted_tokens: of its drafts, how many tokens were verified, and how many of these were right.
        miss: why no more of the prompt was found computed, in words; '' where that was all that could be.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    miss: str = ""
    restored_tokens: int = 0


class DiskUse(Value, frozen=True):
    """What the disk below an engine's pool is used for; counts are since its KV manager started.

    Attributes:
        kept_bytes: of all segments there, other engines' and servers' too. quota: of these, the most.
        writable: pages can be stored.
        written_bytes: of segments.
        read_bytes: of pages; what was written for nothing is never read.
        read_rate: bytes a second from the disk into pages, of late; 0 for not known yet.
        hits: prefixes that came from there, in part at least. restored_tokens: of these.
        evicted: segments that had to go for others.
        failed: writes that failed. damaged: reads of segments that were damaged, or gone.
    """

    kept_bytes: int = 0
    quota: int = 0
    writable: bool = False
    written_bytes: int = 0
    read_bytes: int = 0
    read_rate: float = 0.0
    hits: int = 0
    restored_tokens: int = 0
    evicted: int = 0
    failed: int = 0
    damaged: int = 0


INDEX_BITS = 8


def sequence_id(request: int, index: int) -> int:
    """Id of choice ``index`` (0-based, below 256) of ``request``."""
    return request << INDEX_BITS | index


def request_of(sequence: int) -> int:
    return sequence >> INDEX_BITS


def index_of(sequence: int) -> int:
    return sequence & ((1 << INDEX_BITS) - 1)
