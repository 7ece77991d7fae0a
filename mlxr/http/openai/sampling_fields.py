"""How tokens are chosen, formats kept to and answers streamed: fields of chat and plain completions alike."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Meta, field

from mlxr.api.constraints import JsonSchema
from mlxr.http.adapters import Adapters
from mlxr.http.field_types import (
    HARMLESS,
    Bias,
    Divisor,
    Int64,
    KeepAlive,
    ModelName,
    MostDrafted,
    Penalty,
    Probability,
    Temperature,
    TokenId,
)
from mlxr.http.fields import Fields
from mlxr.http.keepalive import PingInterval
from mlxr.http.model_request import ModelRequest


class StreamOptions(Fields, frozen=True, kw_only=True):
    COMPONENT: ClassVar[str | None] = "mlxr.http.openai.schema.StreamOptions"

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    continuous_usage_stats: bool | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"include_obfuscation": False}


class StructuredOutputs(Fields, frozen=True, kw_only=True):
    """vLLM's newer name for what the ``guided_...`` fields say."""

    json: JsonSchema | str | None = None
    json_object: bool | None = None
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    structural_tag: str | None = None
    whitespace_pattern: str | None = None
    disable_any_whitespace: bool | None = None
    disable_additional_properties: bool | None = None

    # JSON is written in one way, without white space to choose.
    REFUSED: ClassVar[dict[str, Any]] = {
        "structural_tag": None,
        "whitespace_pattern": None,
        "disable_additional_properties": False,
    }
    IGNORED: ClassVar[frozenset[str]] = frozenset({"disable_any_whitespace"})


class SamplingFields(ModelRequest, frozen=True, kw_only=True):
    """How tokens are chosen, the same for chat and plain completions. ``repeat_penalty`` is llama.cpp's and LM Studio's
    word for ``repetition_penalty``. With it, or with ``repeat_last_n``, penalties are llama.cpp's: they look at the
    last tokens, the prompt's included."""

    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    repetition_penalty: Divisor | None = None
    repeat_penalty: Divisor | None = None
    repeat_last_n: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, Bias] | None = None
    seed: Int64 | None = None
    stop: str | list[str] | None = None
    stop_token_ids: list[TokenId] | None = None
    ignore_eos: bool | None = None
    n: Annotated[int, Meta(ge=1)] | None = None
    priority: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    adapters: Adapters | None = None
    most_drafted: MostDrafted | None = field(default=None, name="speculative.n_max")
    draft_model: ModelName | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    sse_ping_interval: PingInterval | None = None
    guided_json: JsonSchema | str | None = None
    guided_regex: str | None = None
    guided_grammar: str | None = None
    guided_choice: list[str] | None = None
    structured_outputs: StructuredOutputs | None = None
    json_schema: JsonSchema | str | None = None
    regex: str | None = None
    grammar: str | None = None
    ebnf: str | None = None
    keep_alive: KeepAlive | None = None
    min_tokens: int | None = None
    bad_words: list[str] | None = None
    use_beam_search: bool | None = None
    length_penalty: float | None = None
    logits_processors: Any = None
    allowed_token_ids: list[TokenId] | None = None
    truncate_prompt_tokens: int | None = None
    include_stop_str_in_output: bool | None = None
    skip_special_tokens: bool | None = None
    spaces_between_special_tokens: bool | None = None
    return_token_ids: bool | None = None
    return_tokens_as_token_ids: bool | None = None
    prompt_logprobs: int | None = None
    guided_whitespace_pattern: str | None = None
    mirostat: int | None = None
    dry_multiplier: float | None = None
    xtc_probability: float | None = None
    dynatemp_range: float | None = None
    top_n_sigma: float | None = None

    REFUSED: ClassVar[dict[str, Any]] = {
        "min_tokens": 0,
        "bad_words": [],
        "use_beam_search": False,
        "length_penalty": 1.0,
        "logits_processors": [],
        "allowed_token_ids": [],
        "truncate_prompt_tokens": None,
        "include_stop_str_in_output": False,
        "skip_special_tokens": True,
        "spaces_between_special_tokens": True,
        "return_token_ids": False,
        "return_tokens_as_token_ids": False,
        "prompt_logprobs": None,
        "guided_whitespace_pattern": None,
        "mirostat": 0,
        "dry_multiplier": 0.0,
        "xtc_probability": 0.0,
        "dynatemp_range": 0.0,
        "top_n_sigma": -1.0,
    }
    IGNORED: ClassVar[frozenset[str]] = HARMLESS
