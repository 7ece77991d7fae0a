"""Objects of the Responses API: the response itself, and its output items."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from mlxr.api.content_blocks import BlockKind, ContentBlock
from mlxr.api.reasoning_round_trip import encrypted_content
from mlxr.http.ids import new_id
from mlxr.http.logprobs import chat_logprobs
from mlxr.http.responses.functions import split_names
from mlxr.http.responses.schema import ENCRYPTED, ResponsesRequest, ResponsesTool, ToolChoice
from mlxr.runtime.messages.common import FinishReason, TextLogprob, Usage
from mlxr.runtime.messages.tokenizer import Generate

_PREFIX = {BlockKind.REASONING: "rs_", BlockKind.TEXT: "msg_", BlockKind.TOOL: "fc_"}


def item_id(kind: BlockKind) -> str:
    return new_id(_PREFIX[kind])


class Items:
    """Makes output items as a request wants them. ``summarized``: reasoning is given as its own summary."""

    def __init__(self, body: ResponsesRequest) -> None:
        self.summarized = bool(body.reasoning and body.reasoning.summarized)
        self._encrypts = ENCRYPTED in (body.include or [])
        self._split_names = split_names(body.tools or [])

    def item(self, block: ContentBlock, id: str, status: str, logprobs: list[TextLogprob]) -> dict[str, Any]:
        """Returns a block as an output item; one in progress has no parts yet."""
        parts = [self.part(block, logprobs)] if status != "in_progress" and block.kind is not BlockKind.TOOL else []
        match block.kind:
            case BlockKind.REASONING:
                content, summary = ([], parts) if self.summarized else (parts, [])
                encrypted = {"encrypted_content": encrypted_content(block.text)} if self._encrypts else {}
                made = {"type": "reasoning", "id": id, "summary": summary, "content": content, "status": status}
                return {**made, **encrypted}
            case BlockKind.TEXT:
                return {"type": "message", "id": id, "role": "assistant", "content": parts, "status": status}
            case BlockKind.TOOL:
                arguments = "" if status == "in_progress" else block.text
                call = {"call_id": block.id, **self.called(block), "arguments": arguments}
                return {"type": "function_call", "id": id, **call, "status": status}

    def called(self, block: ContentBlock) -> dict[str, str]:
        """Which function a block calls."""
        return self._split_names.get(block.name, {"name": block.name})

    def part(self, block: ContentBlock, logprobs: list[TextLogprob]) -> dict[str, Any]:
        if block.kind is BlockKind.REASONING:
            return {"type": "summary_text" if self.summarized else "reasoning_text", "text": block.text}
        return {
            "type": "output_text",
            "text": block.text,
            "annotations": [],
            "logprobs": chat_logprobs(logprobs)["content"],
        }

    def names(self, kind: BlockKind) -> tuple[str, str, str]:
        """Returns what a block's events are called: those of its part, those of its text; and the name of its index."""
        if kind is BlockKind.REASONING and self.summarized:
            return "reasoning_summary_part", "reasoning_summary_text", "summary_index"
        return "content_part", "reasoning_text" if kind is BlockKind.REASONING else "output_text", "content_index"


class ResponseObject:
    """One response as it is at each moment of its life. It has every field, with what it is here for all those that
    can't be asked for, because clients check (https://www.openresponses.org/reference). ``command``: what is made of
    the request, with the model's own where that says nothing."""

    def __init__(self, body: ResponsesRequest, command: Generate) -> None:
        sampling = command.sampling
        self._fields: dict[str, Any] = {
            "id": new_id("resp_"),
            "object": "response",
            "created_at": int(time.time()),
            "model": body.model,
            "background": False,
            "frequency_penalty": sampling.frequency_penalty,
            "instructions": body.instructions,
            "max_output_tokens": command.max_tokens,
            "max_tool_calls": None,
            "metadata": body.metadata or {},
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "presence_penalty": sampling.presence_penalty,
            "previous_response_id": None,
            "prompt_cache_key": None,
            "reasoning": {
                "effort": body.reasoning.effort if body.reasoning else None,
                "summary": (body.reasoning.summary or body.reasoning.generate_summary) if body.reasoning else None,
            },
            "safety_identifier": None,
            "service_tier": "default",
            "store": False,
            "temperature": sampling.temperature,
            "text": {"format": _format(body)},
            "tool_choice": _tool_choice(body.tool_choice),
            "tools": [_tool(tool) for tool in body.tools or []],
            "top_logprobs": body.top_logprobs or 0,
            "top_p": sampling.top_p,
            "truncation": body.truncation or "disabled",
            "user": body.user,
        }

    def at(
        self,
        status: str,
        output: list[dict[str, Any]],
        usage: Usage | None = None,
        error: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {
            **self._fields,
            "status": status,
            "completed_at": int(time.time()) if status == "completed" else None,
            "output": output,
            "error": error,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "usage": usage_object(usage) if usage else None,
        }


def final_status(finish: FinishReason | None) -> str:
    return "incomplete" if finish is FinishReason.LENGTH else "completed"


def usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _tool(given: ResponsesTool) -> dict[str, Any]:
    """Returns a tool as it was given; those of a namespace are not null in others."""
    fields: dict[str, Any] = msgspec.to_builtins(given)
    return {name: value for name, value in fields.items() if name != "tools" or value is not None}


def _tool_choice(given: str | ToolChoice | None) -> str | dict[str, Any]:
    if not isinstance(given, ToolChoice):
        return given or "auto"
    if given.type == "function":
        return {"type": given.type, "name": given.name}
    return {"type": given.type, "mode": given.mode, "tools": msgspec.to_builtins(given.tools)}


def _format(body: ResponsesRequest) -> dict[str, Any]:
    given = body.text.format if body.text else None
    if given is None:
        return {"type": "text"}
    fields: dict[str, Any] = msgspec.to_builtins(given)
    return {name: value for name, value in fields.items() if value is not None}
