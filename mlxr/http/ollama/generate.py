"""``POST /api/generate`` and ``POST /api/chat``."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from mlxr.api.capabilities import require_capability
from mlxr.api.durations import keep_alive_seconds
from mlxr.api.errors import invalid
from mlxr.api.gateway import Gateway
from mlxr.api.model_defaults import installed, with_model_defaults
from mlxr.api.parameters import check_message_count
from mlxr.api.tools import make_tool, past_calls
from mlxr.http.json_response import json_response
from mlxr.http.ollama.answer import AnswerLines, MakeFields, chat_fields, generate_fields, load_answer
from mlxr.http.ollama.options import command, think
from mlxr.http.ollama.schema import (
    ROLES,
    ChatRequest,
    Function,
    GenerateRequest,
    GenerationFields,
    OllamaMessage,
)
from mlxr.http.services import Services, note_ignored, note_unheld
from mlxr.http.stream import respond
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.registry import LoadModel, UnloadModel
from mlxr.runtime.messages.tokenizer import (
    ChatMessage,
    ChatPrompt,
    FillPrompt,
    Generate,
    Prompt,
    TextPrompt,
    Tokenize,
    TokenPrompt,
    Tool,
)


async def generate(services: Services, body: GenerateRequest, request: web.Request) -> web.StreamResponse:
    if not body.prompt and not body.suffix:
        return await _load_or_unload(services.gateway, body, generate_fields)
    entry = services.gateway.find(body.model)
    prompt = generate_prompt(body, entry)
    if body.context:
        before = Tokenize(0, prompt, want_tokens=True)
        rendered = await services.gateway.tokenize(body.model, before, surface="ollama")
        prompt = TokenPrompt([*body.context, *rendered.tokens])
    made = replace(command(body, entry, prompt, services.settings), return_tokens=not body.raw)
    return await _answer(services, body, made, generate_fields, request)


async def chat(services: Services, body: ChatRequest, request: web.Request) -> web.StreamResponse:
    if not body.messages:
        return await _load_or_unload(services.gateway, body, chat_fields)
    check_message_count(body.messages, services.settings.max_messages)
    entry = services.gateway.find(body.model)
    prompt = with_model_defaults(await services.prepare(request, chat_prompt, body, entry), entry)
    return await _answer(services, body, command(body, entry, prompt, services.settings), chat_fields, request)


def generate_prompt(body: GenerateRequest, entry: ModelEntry | None) -> Prompt:
    """Raises ``RequestError`` for fields that don't go together, and for what the model can't."""
    if body.images:
        require_capability("vision", entry, "images")
    if body.raw:
        _refuse(body, "raw mode", "template", "system", "context", "suffix", "think")
        return TextPrompt(body.prompt or "")
    if body.suffix:
        require_capability("insert", entry, "suffix")
        _refuse(body, "filling in", "template", "system", "think")
        return FillPrompt(body.prompt or "", body.suffix)
    messages = [ChatMessage("user", body.prompt or "")]
    if body.system:
        messages.insert(0, ChatMessage("system", body.system))
    prompt = ChatPrompt(messages, reasoning_effort=think(body.think, entry), template=body.template or None)
    # A conversation that goes on has had its opening already.
    return prompt if body.context else with_model_defaults(prompt, entry)


def _refuse(body: GenerateRequest, mode: str, *fields: str) -> None:
    """Refuses what only a template could honour, where the prompt goes in without one."""
    for field in fields:
        if getattr(body, field) not in (None, False, "none", "", []):
            raise invalid(f"{mode} does not support `{field}`: the prompt is not put into a template", field)


def chat_prompt(body: ChatRequest, entry: ModelEntry | None) -> ChatPrompt:
    """Raises ``RequestError`` naming the field that can't be had. An assistant's text at the end is continued, as
    Ollama's templates do and clients count on that have a "continue" button."""
    if body.tools:
        require_capability("tools", entry, "tools")
    turns = body.messages or []
    if any(turn.images for turn in turns):
        require_capability("vision", entry, "images")
    tools = [_tool(tool.function, f"tools[{index}].function") for index, tool in enumerate(body.tools or [])]
    messages = [_message(turn, f"messages[{index}]") for index, turn in enumerate(turns)]
    last = messages[-1]
    begun = last.role == "assistant" and last.content.strip() != "" and not last.tool_calls
    return ChatPrompt(messages, tools=tools, reasoning_effort=think(body.think, entry), continue_final=begun)


def _tool(function: Function, place: str) -> Tool:
    return make_tool(function.name, function.description, function.parameters, place=place)


def _message(message: OllamaMessage, place: str) -> ChatMessage:
    role = message.role.lower()
    if role not in ROLES:
        raise invalid(f"`{place}.role`: {message.role[:60]!r} is none of {', '.join(ROLES)}", f"{place}.role")
    return ChatMessage(
        role=role,
        content=message.content or "",
        reasoning=message.thinking or "",
        tool_calls=past_calls(message.tool_calls, place),
        tool_call_id=message.tool_call_id or None,
        name=message.tool_name or None,
    )


async def _answer(
    services: Services, body: GenerationFields, made: Generate, make_fields: MakeFields, request: web.Request
) -> web.StreamResponse:
    began = time.monotonic()
    if body.shift:
        note_ignored(request, ["shift"])
    keep_alive = keep_alive_seconds(body.keep_alive)
    if body.pin is not None:
        await load_or_unload(services.gateway, body.model, None, body.pin)
    async with services.gateway.generate(body.model, made, surface="ollama", keep_alive=keep_alive) as stream:
        await note_unheld(request, stream)
        lines = AnswerLines(body.model, make_fields, began, made.return_tokens)
        if body.stream is not False:
            return await respond(request, stream, lines)
        return json_response(lines.whole(await stream.rest(), stream))


async def _load_or_unload(gateway: Gateway, body: GenerationFields, make_fields: MakeFields) -> web.Response:
    reason = await load_or_unload(gateway, body.model, keep_alive_seconds(body.keep_alive), body.pin)
    return json_response(load_answer(body.model, make_fields, reason))


async def load_or_unload(gateway: Gateway, model: str, keep_alive: float | None, pin: bool | None = None) -> str:
    """What a request with nothing to work on means: load the model, or unload it with a ``keep_alive`` of 0. Returns
    which it was, as ``done_reason`` says it. ``pin`` as in ``LoadModel``."""
    if keep_alive == 0:
        installed(gateway, model)
    wanted: Any = UnloadModel(model) if keep_alive == 0 else LoadModel(model, keep_alive, pin)
    async for _ in gateway.registry(wanted):
        pass
    return "unload" if keep_alive == 0 else "load"
