"""``/api/ui/jobs``. The registry owns the jobs; these start and control them, and show what it told of them."""

from __future__ import annotations

import msgspec
from aiohttp import web

from mlxr.api.caller import CALLER
from mlxr.api.errors import invalid
from mlxr.api.gateway import RegistryCommand
from mlxr.api.jobs import Job
from mlxr.api.library import for_caller, for_remote
from mlxr.http.json_response import json_response
from mlxr.http.registry_answer import registry_body
from mlxr.http.services import Services
from mlxr.http.tool_imports import import_command
from mlxr.http.ui.conversion_fields import wanted
from mlxr.http.ui.jobs.schema import (
    ControlRequest,
    ConvertJob,
    CreateJob,
    ImportJob,
    JobList,
    PullJob,
    PushJob,
)
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.registry import (
    ControlJob,
    ConvertModel,
    CreateModel,
    PullModel,
    PushModel,
    StartJob,
    Work,
)


async def jobs(services: Services, body: None, request: web.Request) -> web.Response:
    return json_response(JobList([for_caller(job) for job in services.gateway.library.jobs()]))


async def one(services: Services, body: None, request: web.Request) -> web.Response:
    id = request.match_info["job"]
    for job in services.gateway.library.jobs():
        if job.id == id:
            return json_response(for_caller(job))
    raise RequestError(ErrorInfo(ErrorCode.MODEL_NOT_FOUND, f"there is no job {id[:80]!r}", "job"))


async def pull(services: Services, body: PullJob, request: web.Request) -> web.Response:
    return await _started(services, PullModel(_named(body.model), body.insecure))


async def import_models(services: Services, body: ImportJob, request: web.Request) -> web.Response:
    return await _started(services, import_command(body))


async def convert(services: Services, body: ConvertJob, request: web.Request) -> web.Response:
    return await _started(services, ConvertModel(_named(body.model), wanted(body), body.name))


async def create(services: Services, body: CreateJob, request: web.Request) -> web.Response:
    given = msgspec.to_builtins(body)
    spec = {name: value for name, value in given.items() if value is not None and name != "model"}
    return await _started(services, CreateModel(_named(body.model), msgspec.json.encode(spec)))


async def push(services: Services, body: PushJob, request: web.Request) -> web.Response:
    return await _started(services, PushModel(_named(body.model), body.target, body.insecure))


async def control(services: Services, body: ControlRequest, request: web.Request) -> web.Response:
    return await _job(services, ControlJob(request.match_info["job"], body.action))


async def forget(services: Services, body: None, request: web.Request) -> web.Response:
    return await _job(services, ControlJob(request.match_info["job"], "forget"))


def _named(model: str) -> str:
    if not model.strip():
        raise invalid("`model` is empty", "model")
    return model.strip()


async def _started(services: Services, work: Work) -> web.Response:
    return await _job(services, StartJob(work))


async def _job(services: Services, command: RegistryCommand) -> web.Response:
    made = await registry_body(services, command)
    if CALLER.get().remote:
        made = msgspec.json.encode(for_remote(msgspec.json.decode(made, type=Job)))
    return web.Response(body=made, content_type="application/json")
