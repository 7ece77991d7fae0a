"""OpenAI's requests, with the extras that local servers take."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from mlxr.api.constraints import JsonSchema
from mlxr.http.chat_messages import CompletionMessage, FunctionTool
from mlxr.http.fields import Fields
from mlxr.http.model_request import ModelRequest
from mlxr.http.values import (
    HARMLESS,
    Bias,
    Divisor,
    Effort,
    Int64,
    Penalty,
    Probability,
    Temperature,
    TokenId,
    Tokens,
)


class StreamOptions(Fields, frozen=True, kw_only=True):
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
    """How tokens are chosen, the same for chat and plain completions."""

    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    repetition_penalty: Divisor | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, Bias] | None = None
    seed: Int64 | None = None
    stop: str | list[str] | None = None
    stop_token_ids: list[TokenId] | None = None
    ignore_eos: bool | None = None
    n: Annotated[int, Meta(ge=1)] | None = None
    priority: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    guided_json: JsonSchema | str | None = None
    guided_regex: str | None = None
    guided_grammar: str | None = None
    guided_choice: list[str] | None = None
    structured_outputs: StructuredOutputs | None = None
    json_schema: JsonSchema | str | None = None
    regex: str | None = None
    grammar: str | None = None
    ebnf: str | None = None
    keep_alive: float | str | None = None
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
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
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
        "repeat_penalty": 1.0,
        "repeat_last_n": None,
        "mirostat": 0,
        "dry_multiplier": 0.0,
        "xtc_probability": 0.0,
        "dynatemp_range": 0.0,
        "top_n_sigma": -1.0,
    }
    IGNORED: ClassVar[frozenset[str]] = HARMLESS


class JsonSchemaFormat(Fields, frozen=True, kw_only=True):
    name: str = ""
    description: str | None = None
    schema: JsonSchema | None = None
    strict: bool | None = None

    # Every schema is kept to strictly.
    IGNORED: ClassVar[frozenset[str]] = frozenset({"name", "description", "strict"})


class ResponseFormat(Fields, frozen=True, kw_only=True):
    """``schema`` is where llama.cpp's clients have that of a ``json_object``."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None
    schema: JsonSchema | None = None


class FunctionName(Fields, frozen=True, kw_only=True):
    name: str


class NamedTool(Fields, frozen=True, kw_only=True):
    type: str = "function"
    function: FunctionName | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"type": "function"}


class AllowedTools(Fields, frozen=True, kw_only=True):
    mode: Literal["auto", "required"] = "auto"
    tools: list[NamedTool]


class ToolChoice(Fields, frozen=True, kw_only=True):
    type: Literal["function", "allowed_tools"]
    function: FunctionName | None = None
    allowed_tools: AllowedTools | None = None


class ChatRequest(SamplingFields, frozen=True, kw_only=True):
    """``POST /v1/chat/completions``."""

    messages: Annotated[list[CompletionMessage], Meta(min_length=1)]
    max_completion_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    chat_template: str | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    modalities: list[str] | None = None
    audio: Any = None
    prediction: Any = None
    web_search_options: Any = None
    functions: Any = None
    function_call: Any = None
    verbosity: str | None = None
    documents: Any = None
    moderation: Any = None
    echo: bool | None = None

    REFUSED: ClassVar[dict[str, Any]] = {
        **SamplingFields.REFUSED,
        "modalities": ["text"],
        "audio": None,
        "prediction": None,
        "web_search_options": None,
        "functions": [],
        "function_call": "none",
        "verbosity": "medium",
        "documents": [],
        "moderation": None,
        "echo": False,
    }


class CompletionRequest(SamplingFields, frozen=True, kw_only=True):
    """``POST /v1/completions``."""

    prompt: str | list[str | TokenId | list[TokenId]]
    max_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    suffix: str | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    best_of: Annotated[int, Meta(ge=1)] | None = None
    response_format: ResponseFormat | None = None
    add_special_tokens: bool | None = None


class EmbeddingRequest(ModelRequest, frozen=True, kw_only=True):
    """``POST /v1/embeddings``."""

    input: str | list[str | TokenId | list[TokenId]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    keep_alive: float | str | None = None
    truncate_prompt_tokens: int | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"truncate_prompt_tokens": None}
    IGNORED: ClassVar[frozenset[str]] = HARMLESS


class ModelCard(Struct, frozen=True, kw_only=True):
    id: str
    object: str = "model"
    created: int
    owned_by: str = "mlxr"
    root: str | UnsetType = UNSET
    parent: None = None
    max_model_len: int | UnsetType = UNSET


class ModelList(Struct, frozen=True, kw_only=True):
    object: str = "list"
    data: list[ModelCard]
