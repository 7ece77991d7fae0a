"""``POST /apply-template``, and what is said of the server and its properties."""

from __future__ import annotations

from typing import NoReturn

from aiohttp import web
from msgspec.structs import replace

import mlxr
from mlxr.api.caller import CALLER
from mlxr.api.default_model import default_model
from mlxr.api.model_defaults import engine_of, installed, with_model_defaults, with_option_defaults
from mlxr.http.chat_messages import chat_prompt
from mlxr.http.json_response import json_response
from mlxr.http.llamacpp.answer import settings_object
from mlxr.http.llamacpp.completion import to_generate
from mlxr.http.llamacpp.errors import not_supported
from mlxr.http.llamacpp.schema import CompletionRequest, TemplateAnswer, TemplateRequest
from mlxr.http.llamacpp.slots import context_length, total_slots
from mlxr.http.model_request import with_model
from mlxr.http.services import Services
from mlxr.runtime.messages.tokenizer import TextPrompt, Tokenize


async def apply_template(services: Services, body: TemplateRequest, request: web.Request) -> web.Response:
    body = with_model(body, services.gateway)
    prompt = await services.prepare(request, chat_prompt, body.messages, body, services.settings.max_messages)
    prompt = with_model_defaults(prompt, services.gateway.find(body.model))
    made = await services.gateway.tokenize(body.model, Tokenize(0, prompt, want_text=True), surface="llamacpp")
    return json_response(TemplateAnswer(made.text))


async def props(services: Services, body: None, request: web.Request) -> web.Response:
    """``?model=`` names the model, the loaded one if it is left out. Where it lies is told on this machine alone."""
    gateway = services.gateway
    entry = installed(gateway, request.query.get("model") or default_model(gateway))
    plain = CompletionRequest(prompt="")
    command = with_option_defaults(to_generate(plain, TextPrompt(""), services.settings), plain, entry)
    defaults = settings_object(replace(command, sampling=replace(command.sampling, seed=0)))
    context = context_length(engine_of(gateway, entry), entry)
    tools = "tools" in entry.info.capabilities
    return json_response(
        {
            "default_generation_settings": {"n_ctx": context, "params": defaults},
            "total_slots": total_slots(gateway),
            "model_alias": entry.name,
            "model_path": "" if CALLER.get().remote else entry.path,
            "chat_template": entry.info.template,
            "chat_template_caps": {"supports_tools": tools, "supports_tool_calls": tools},
            "modalities": {"vision": "vision" in entry.info.capabilities, "audio": False},
            "endpoint_slots": True,
            "endpoint_props": False,
            "endpoint_metrics": True,
            "is_sleeping": False,
            "build_info": f"mlxr-{mlxr.__version__}",
        }
    )


async def set_props(services: Services, body: None, request: web.Request) -> NoReturn:
    raise not_supported("nothing is set here for all requests; `mlxr config set` changes settings")


async def set_lora_adapters(services: Services, body: None, request: web.Request) -> NoReturn:
    raise not_supported(
        "adapters are not set here for all requests; give `lora` with each, or MODEL+ADAPTER as its model"
    )
