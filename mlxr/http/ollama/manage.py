"""What changes the catalogue: pull, push, create, copy, delete. The registry does the work; these pass it on."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import msgspec
from aiohttp import web

from mlxr.api.gateway import RegistryCommand
from mlxr.api.one_line_json import one_line_json
from mlxr.http.errors import error_body, problem_of
from mlxr.http.json_response import json_response
from mlxr.http.ollama.errors import ollama_error
from mlxr.http.ollama.models import model_name
from mlxr.http.ollama.options import options
from mlxr.http.ollama.schema import CopyRequest, CreateRequest, Named, PullRequest, TransferRequest
from mlxr.http.registry_answer import registry_response
from mlxr.http.services import Services
from mlxr.http.stream import NDJSON, open_response
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.frontend import RegistryReply
from mlxr.runtime.messages.registry import CopyModel, CreateModel, DeleteModel, EstimateModel, PullModel, PushModel

SUCCESS = {"status": "success"}


async def pull(services: Services, body: PullRequest, request: web.Request) -> web.StreamResponse:
    if body.dry_run:
        return await registry_response(services, EstimateModel(model_name(body), insecure=bool(body.insecure)))
    return await _progress(services, PullModel(model_name(body), bool(body.insecure)), body.stream, request)


async def push(services: Services, body: TransferRequest, request: web.Request) -> web.StreamResponse:
    return await _progress(services, PushModel(model_name(body), insecure=bool(body.insecure)), body.stream, request)


async def create(services: Services, body: CreateRequest, request: web.Request) -> web.StreamResponse:
    # What is wrong with them would otherwise show with the first request to the model.
    options(body.parameters, None, "parameters")
    spec = {
        name: value
        for name, value in msgspec.to_builtins(body).items()
        if value is not None and name not in ("model", "name", "stream", "quantization", "remote_host")
    }
    if body.quantization and not body.quantize:
        spec["quantize"] = body.quantization
    command = CreateModel(model_name(body), msgspec.json.encode(spec))
    return await _progress(services, command, body.stream, request)


async def copy(services: Services, body: CopyRequest, request: web.Request) -> web.Response:
    async for _ in services.gateway.registry(CopyModel(body.source, body.destination)):
        pass
    return web.Response()


async def delete(services: Services, body: Named, request: web.Request) -> web.Response:
    async for _ in services.gateway.registry(DeleteModel(model_name(body))):
        pass
    return web.Response()


async def _progress(
    services: Services, command: RegistryCommand, stream: bool | None, request: web.Request
) -> web.StreamResponse:
    """The registry's replies as lines. What fails before there is any progress has a status of its own."""
    async with aclosing(services.gateway.registry(command)) as replies:
        if stream is False:
            async for _ in replies:
                pass
            return json_response(SUCCESS)
        response: web.StreamResponse | None = None
        try:
            async for reply in replies:
                response = response or await open_response(request, NDJSON)
                await response.write(one_line_json(_line(reply)) + b"\n")
        except RequestError as error:
            if response is None:
                raise
            await response.write(error_body(problem_of(error.info), ollama_error) + b"\n")
    assert response is not None, "a command has at least one reply"
    await response.write_eof()
    return response


def _line(reply: RegistryReply) -> dict[str, Any]:
    if reply.last:
        return dict(SUCCESS)
    line: dict[str, Any] = {"status": reply.status}
    if reply.digest:
        line["digest"] = reply.digest
    if reply.total:
        line |= {"total": reply.total, "completed": reply.completed}
    return line
