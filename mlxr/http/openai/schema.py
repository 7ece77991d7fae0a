"""OpenAI's requests, with the extras that local servers take. What isn't here changes nothing and is ignored; what is
in ``REFUSED`` would change something and can't be honoured."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Bias = Annotated[float, Meta(ge=-100, le=100)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
JsonSchema = dict[str, Any] | bool
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class StreamOptions(Struct, frozen=True, kw_only=True):
    include_usage: bool | None = None


class SamplingFields(Struct, frozen=True, kw_only=True):
    """How tokens are chosen, the same for chat and plain completions."""

    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
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
    keep_alive: float | str | None = None
    min_tokens: int | None = None
    bad_words: list[str] | None = None
    use_beam_search: bool | None = None
    length_penalty: float | None = None
    logits_processors: Any = None


_REFUSED_SAMPLING: dict[str, Any] = {
    "min_tokens": 0,
    "bad_words": [],
    "use_beam_search": False,
    "length_penalty": 1.0,
    "logits_processors": [],
}


class JsonSchemaFormat(Struct, frozen=True, kw_only=True):
    name: str = ""
    description: str | None = None
    schema: JsonSchema | None = None
    strict: bool | None = None


class ResponseFormat(Struct, frozen=True, kw_only=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class ContentPart(Struct, frozen=True, kw_only=True):
    type: str
    text: str | None = None
    refusal: str | None = None


class CalledFunction(Struct, frozen=True, kw_only=True):
    name: str
    arguments: str = "{}"


class CalledTool(Struct, frozen=True, kw_only=True):
    function: CalledFunction
    id: str = ""
    type: str = "function"


class Message(Struct, frozen=True, kw_only=True):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[CalledTool] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    function_call: Any = None
    audio: Any = None


class Function(Struct, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Struct, frozen=True, kw_only=True):
    type: str
    function: Function | None = None


class FunctionName(Struct, frozen=True, kw_only=True):
    name: str


class NamedTool(Struct, frozen=True, kw_only=True):
    type: str = "function"
    function: FunctionName | None = None


class AllowedTools(Struct, frozen=True, kw_only=True):
    mode: Literal["auto", "required"] = "auto"
    tools: list[NamedTool]


class ToolChoice(Struct, frozen=True, kw_only=True):
    type: Literal["function", "allowed_tools"]
    function: FunctionName | None = None
    allowed_tools: AllowedTools | None = None


class ChatRequest(SamplingFields, frozen=True, kw_only=True):
    """``POST /v1/chat/completions``."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
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

    REFUSED: ClassVar[dict[str, Any]] = {
        **_REFUSED_SAMPLING,
        "modalities": ["text"],
        "audio": None,
        "prediction": None,
        "web_search_options": None,
        "functions": [],
        "function_call": "none",
        "verbosity": "medium",
        "documents": [],
        "moderation": None,
    }


class CompletionRequest(SamplingFields, frozen=True, kw_only=True):
    """``POST /v1/completions``."""

    model: str
    prompt: str | list[str | TokenId | list[TokenId]]
    max_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    suffix: str | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    best_of: Annotated[int, Meta(ge=1)] | None = None
    response_format: ResponseFormat | None = None
    add_special_tokens: bool | None = None

    REFUSED: ClassVar[dict[str, Any]] = _REFUSED_SAMPLING


class EmbeddingRequest(Struct, frozen=True, kw_only=True):
    """``POST /v1/embeddings``."""

    model: str
    input: str | list[str | TokenId | list[TokenId]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    keep_alive: float | str | None = None


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
