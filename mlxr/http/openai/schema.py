"""OpenAI's requests, with the extras that local servers take, and its models."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from mlxr.api.constraints import JsonSchema
from mlxr.http.adapters import Adapters
from mlxr.http.chat_messages import CompletionMessage, FunctionTool
from mlxr.http.field_types import (
    HARMLESS,
    Effort,
    KeepAlive,
    TokenId,
    TokenLimit,
)
from mlxr.http.fields import Fields
from mlxr.http.model_request import ModelRequest
from mlxr.http.openai.sampling_fields import SamplingFields


class JsonSchemaFormat(Fields, frozen=True, kw_only=True):
    """``strict``: a schema that can't be held to in every keyword is a 400. Without it such keywords (``uniqueItems``,
    ``not``, ``if`` and so on) are left out, as the response's header says, and the rest is held to all the same."""

    name: str = ""
    description: str | None = None
    schema: JsonSchema | None = None
    strict: bool | None = None

    IGNORED: ClassVar[frozenset[str]] = frozenset({"name", "description"})


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


class PredictedText(Fields, frozen=True, kw_only=True):
    type: Literal["text"] = "text"
    text: str


class Prediction(Fields, frozen=True, kw_only=True):
    """Text that the answer is expected to have much of: an edited file's old content, say. The answer is the same with
    it, and comes sooner where it is right. Its first 65,536 characters count."""

    type: Literal["content"]
    content: str | list[PredictedText]

    @property
    def whole(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class ReasoningOptions(Fields, frozen=True, kw_only=True):
    """OpenRouter's and Ollama's form of ``reasoning_effort``, before which it counts. ``max_tokens``: how many of them
    reasoning may take before it is ended. ``enabled``: whether there is any, without a word of how much."""

    effort: Effort | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    enabled: bool | None = None


class ChatRequest(SamplingFields, frozen=True, kw_only=True):
    """``POST /v1/chat/completions``."""

    messages: Annotated[list[CompletionMessage], Meta(min_length=1)]
    max_completion_tokens: TokenLimit | None = None
    max_tokens: TokenLimit | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    reasoning: ReasoningOptions | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    chat_template: str | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    modalities: list[str] | None = None
    audio: Any = None
    prediction: Prediction | None = None
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
    max_tokens: TokenLimit | None = None
    suffix: str | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    best_of: Annotated[int, Meta(ge=1)] | None = None
    response_format: ResponseFormat | None = None
    add_special_tokens: bool | None = None


class EmbeddingRequest(ModelRequest, frozen=True, kw_only=True):
    """``POST /v1/embeddings``. ``prompt_name``: which of the model's prompts is put before each text (``query``,
    ``document``); null for its usual one, "" for none."""

    input: str | list[str | TokenId | list[TokenId]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    keep_alive: KeepAlive | None = None
    adapters: Adapters | None = None
    prompt_name: str | None = None
    truncate_prompt_tokens: int | None = None

    REFUSED: ClassVar[dict[str, Any]] = {"truncate_prompt_tokens": None}
    IGNORED: ClassVar[frozenset[str]] = HARMLESS


class ModelMeta(Struct, frozen=True, kw_only=True):
    """What llama.cpp's clients read of a model: tokens that it was made for, the width of a hidden state, and how many
    weights it has in how many bytes. Zeros stand for what its files do not say."""

    n_ctx_train: int
    n_embd: int
    n_params: int
    size: int


class ModelCard(Struct, frozen=True, kw_only=True):
    id: str
    object: str = "model"
    created: int
    owned_by: str = "mlxr"
    root: str | UnsetType = UNSET
    parent: str | None = None
    max_model_len: int | UnsetType = UNSET
    meta: ModelMeta


class ModelList(Struct, frozen=True, kw_only=True):
    object: str = "list"
    data: list[ModelCard]
