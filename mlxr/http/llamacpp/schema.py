"""Requests of llama.cpp's server. What they may have besides (``samplers``, ``t_max_predict_ms``, ``n_indent``,
``return_progress``, ``timings_per_token``) changes nothing, and the response names it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, field

from mlxr.api.constraints import JsonSchema
from mlxr.http.adapters import MOST, Adapters
from mlxr.http.chat_messages import CompletionMessage, FunctionTool
from mlxr.http.field_types import HARMLESS, Bias, Divisor, Int64, Probability, TokenId, TokenLimit
from mlxr.http.fields import Fields
from mlxr.http.keepalive import PingInterval
from mlxr.http.model_request import ModelRequest

MOST_PROBS = 20

Penalty = Annotated[float, Meta(ge=-100, le=100)]


class Lora(Fields, frozen=True, kw_only=True):
    """An adapter by its number in ``/lora-adapters``."""

    id: Annotated[int, Meta(ge=0)]
    scale: Annotated[float, Meta(ge=-100, le=100)] = 0.0


class SamplerFields(ModelRequest, frozen=True, kw_only=True):
    """How an answer is made, with llama.cpp's names. ``logit_bias``: pairs of a token's id and what is added to its
    logit, false for never. ``response_fields``: what the last object is to have, ``a/b`` for what stands within.
    ``n_probs``: how many alternatives are told of each token. ``return_tokens``: an answer that doesn't stream has the
    ids of its tokens, too. ``lora``: adapters by number, ``adapters``: by name, as every surface has them."""

    n_predict: TokenLimit | None = None
    temperature: Annotated[float, Meta(ge=0, le=100)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    top_p: Probability | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    repetition_penalty: Divisor | None = field(default=None, name="repeat_penalty")
    repeat_last_n: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: Int64 | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    sse_ping_interval: PingInterval | None = None
    grammar: str | None = None
    json_schema: JsonSchema | None = None
    logit_bias: list[tuple[TokenId, Bias | bool]] | None = None
    ignore_eos: bool | None = None
    response_fields: list[str] | None = None
    n_probs: Annotated[int, Meta(ge=0, le=MOST_PROBS)] | None = None
    return_tokens: bool | None = None
    lora: Annotated[list[Lora], Meta(max_length=MOST)] | None = None
    adapters: Adapters | None = None
    post_sampling_probs: bool | None = None
    n_cmpl: int | None = None
    n: int | None = None
    mirostat: int | None = None
    dynatemp_range: float | None = None
    dry_multiplier: float | None = None
    xtc_probability: float | None = None

    REFUSED: ClassVar[dict[str, Any]] = {
        "post_sampling_probs": False,
        "n_cmpl": 1,
        "n": 1,
        "mirostat": 0,
        "dynatemp_range": 0.0,
        "dry_multiplier": 0.0,
        "xtc_probability": 0.0,
    }
    # Which slot is taken, and what is cached, changes nothing about an answer.
    IGNORED: ClassVar[frozenset[str]] = HARMLESS | {"id_slot", "n_cache_reuse"}


class CompletionRequest(SamplerFields, frozen=True, kw_only=True):
    """``POST /completion``."""

    COMPONENT: ClassVar[str | None] = "mlxr.http.llamacpp.schema.CompletionRequest"

    prompt: str | list[TokenId]


class Extra(Fields, frozen=True, kw_only=True):
    """Text of another file."""

    text: str
    filename: str = ""


class InfillRequest(SamplerFields, frozen=True, kw_only=True):
    """``POST /infill``: text between ``input_prefix``, which ``prompt`` continues, and ``input_suffix``. Other files go
    before the prefix."""

    input_prefix: str
    input_suffix: str
    input_extra: list[Extra] | None = None
    prompt: str | None = None


class EmbeddingRequest(ModelRequest, frozen=True, kw_only=True):
    """``POST /embedding``. ``embd_normalize``: by which norm a vector has length 1: 2 for Euclid's, which is usual, 1
    for the sum, other numbers for that power's; with 0 its largest number becomes 32,760, and -1 leaves it as it is."""

    content: str | list[str]
    embd_normalize: Annotated[int, Meta(ge=-1, le=64)] | None = None


class TemplateRequest(ModelRequest, frozen=True, kw_only=True):
    """``POST /apply-template``."""

    messages: list[CompletionMessage]
    tools: list[FunctionTool] | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    chat_template: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None


class TemplateAnswer(Struct, frozen=True):
    prompt: str
