"""Cases of Ollama's routes."""

from __future__ import annotations

from typing import Any

from mlxr.http.fields import Fields
from mlxr.http.ollama import schema as ollama
from tests.http.cases.plain import (
    CITY,
    HI,
    OTOOL,
    Case,
    simple,
    turns,
)

GENERATE, OCHAT = "/api/generate", "/api/chat"

ANSWERING: dict[str, Any] = {
    "model": "org/tiny-alias", "options": {"top_k": 3}, "format": "json", "think": False, "keep_alive": "2h",
    "pin": True, "stream": False, "logprobs": True, "truncate": False,
}  # fmt: skip
OCALL = {"function": {"name": "f"}}


def top_logprobs(path: str) -> dict[str, Case]:
    return {"top_logprobs": Case(path, {"logprobs": True, "top_logprobs": 2}, {"logprobs": True})}


def ocalled(**fields: Any) -> dict[str, Any]:
    return turns(role="assistant", tool_calls=[{**OCALL, **fields}])


def named(path: str) -> dict[str, Case]:
    return {"model": Case(path, {"model": "other"}), "name": Case(path, {"model": None, "name": "other"})}


OLLAMA: dict[type[Fields], dict[str, Case]] = {
    ollama.GenerateRequest: {
        **simple(GENERATE, **ANSWERING, prompt="Ho", suffix="b", system="a", template="{{ x }}", context=[5]),
        **simple(GENERATE, raw=True, images=["aGk="], adapters=["none"]),
        **top_logprobs(GENERATE),
    },
    ollama.ChatRequest: {
        **simple(OCHAT, **ANSWERING, messages=[{"role": "user", "content": "Ho"}], tools=[OTOOL]),
        **simple(OCHAT, adapters=["none"]),
        **top_logprobs(OCHAT),
    },
    ollama.CalledFunction: {
        "name": Case(OCHAT, ocalled(function={"name": "g"}), ocalled()),
        "arguments": Case(OCHAT, ocalled(function={"name": "f", "arguments": {"a": 1}}), ocalled()),
    },
    ollama.CalledTool: {
        "function": Case(OCHAT, ocalled(function={"name": "g"}), ocalled()),
        "id": Case(OCHAT, ocalled(id="a"), ocalled()),
    },
    ollama.OllamaMessage: {
        "role": Case(OCHAT, turns(role="assistant"), turns(role="user")),
        "content": Case(OCHAT, turns(role="user", content="a"), turns(role="user")),
        "thinking": Case(OCHAT, turns(role="assistant", thinking="a"), turns(role="assistant")),
        "images": Case(OCHAT, turns(role="user", images=["aGk="]), turns(role="user")),
        "tool_calls": Case(OCHAT, ocalled(), turns(role="assistant")),
        "tool_name": Case(OCHAT, turns(role="tool", tool_name="f"), turns(role="tool")),
        "tool_call_id": Case(OCHAT, turns(role="tool", tool_call_id="f"), turns(role="tool")),
    },
    ollama.Function: {
        name: Case(OCHAT, {"tools": [{"type": "function", "function": {"name": "f", name: value}}]}, {"tools": [OTOOL]})
        for name, value in (("name", "g"), ("description", "does"), ("parameters", CITY))
    },
    ollama.OllamaTool: {"function": Case(OCHAT, {"tools": [{"function": {"name": "g"}}]}, {"tools": [OTOOL]})},
    ollama.EmbedRequest: {
        **simple("/api/embed", model="none", input="Ho", truncate=False, dimensions=2, keep_alive="2h", pin=True),
        **simple("/api/embed", options={"num_ctx": 9}, adapters=["none"], prompt_name="query"),
    },
    ollama.EmbeddingsRequest: simple(
        "/api/embeddings", model="none", prompt="Ho", keep_alive="2h", options={"num_ctx": 9}, adapters=["none"]
    ),
    ollama.Named: named("/api/show"),
    ollama.ShowRequest: {**named("/api/show"), "verbose": Case("/api/show", {"verbose": True})},
    ollama.TransferRequest: {**named("/api/pull"), "stream": Case("/api/pull", {"stream": False})},
    ollama.PullRequest: {
        **named("/api/pull"),
        "stream": Case("/api/pull", {"stream": False}),
        "dry_run": Case("/api/pull", {"dry_run": True}),
    },
    ollama.CreateRequest: {
        **named("/api/create"),
        **simple("/api/create", stream=False, files={"a": "b"}, adapters={"a": "b"}, template="{{ x }}", system="a"),
        **simple("/api/create", license="a", parameters={"top_k": 3}, messages=HI, quantize="Q4_K_M"),
        **simple("/api/create", quantization="Q4_K_M"),
        **simple("/api/create", renderer="qwen3-coder", parser="qwen3-coder", requires="0.1.0"),
        "from": Case("/api/create", {"from": "other"}),
    },
    ollama.OpeningMessage: {
        "role": Case(
            "/api/create",
            {"messages": [{"role": "system", "content": "a"}]},
            {"messages": [{"role": "user", "content": "a"}]},
        ),
        "content": Case(
            "/api/create",
            {"messages": [{"role": "user", "content": "a"}]},
            {"messages": [{"role": "user", "content": "b"}]},
        ),
    },
    ollama.CopyRequest: simple("/api/copy", source="a", destination="b"),
}
