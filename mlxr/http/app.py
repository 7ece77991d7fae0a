"""The aiohttp application: every surface's routes behind one guard, with every error as JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware

import mlxr
from mlxr.api.caller import CALLER, Caller
from mlxr.api.gateway import Blobs, Gateway
from mlxr.api.metrics import Metrics
from mlxr.api.recent_items import RecentItems
from mlxr.http import page_headers
from mlxr.http.errors import OUR_MISTAKE, HttpError, Problem, error_body, error_headers, problem_of
from mlxr.http.guard import Guard, preflight
from mlxr.http.ids import name_request, request_name
from mlxr.http.local_clients import is_local
from mlxr.http.loop_lag import keep_responsive
from mlxr.http.path_redirects import redirect
from mlxr.http.request_body import unknown_fields as unknown
from mlxr.http.request_body.content_encoding import encoding_of
from mlxr.http.request_body.reader import body_reader
from mlxr.http.request_body.receive import AT_ONCE, PendingBytes, received
from mlxr.http.request_body.workers import BodyWorkers
from mlxr.http.routes import ROUTES, error_shape, unbuilt
from mlxr.http.services import IGNORED, SIZE, Route, Services, note_ignored
from mlxr.http.settings import ServerSettings
from mlxr.runtime.errors import RequestError
from mlxr.runtime.logs import REQUEST_ID

_log = logging.getLogger("mlxr.http")

SERVER = f"mlxr/{mlxr.__version__}"

AiohttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(gateway: Gateway, settings: ServerSettings, metrics: Metrics, blobs: Blobs) -> web.Application:
    services = Services(gateway, settings, metrics, blobs, BodyWorkers(), RecentItems())
    pending = PendingBytes(AT_ONCE * settings.max_body_bytes)
    guard = Guard(settings)
    middlewares = [_errors(settings), _guarded(guard, gateway)]
    app = web.Application(client_max_size=settings.max_body_bytes, middlewares=middlewares)

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = SERVER
        response.headers.update(guard.cors_headers(request))
        if request.path.startswith("/api/ui/"):
            for name, value in page_headers.NOT_A_PAGE.items():
                response.headers.setdefault(name, value)
        name_request(request, response)
        if ignored := request.get(IGNORED):
            response.headers[unknown.HEADER] = unknown.header_value(ignored)

    if lacking := unbuilt():
        _log.warning("%s", lacking)
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(keep_responsive(metrics))
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _bind(route, services, pending))
    return app


def _bind(route: Route, services: Services, pending: PendingBytes) -> AiohttpHandler:
    if route.takes is None:

        async def without_body(request: web.Request) -> web.StreamResponse:
            return await route.handle(services, None, request)

        return without_body

    settings = services.settings
    read = body_reader(route.takes, services.workers, settings)

    async def with_body(request: web.Request) -> web.StreamResponse:
        limit = settings.max_body_bytes
        encoding = request.headers.get("Content-Encoding", "")
        encoding_of(encoding)
        if (request.content_length or 0) > limit:
            # Said before reading what would be thrown away.
            raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
        async with received(request, settings, pending, CALLER.get().name) as parts:
            body, ignored, request[SIZE] = await read(parts, encoding, CALLER.get().name)
        if ignored:
            note_ignored(request, ignored)
            _log.warning("%s knows no field %.200r", route.path, unknown.header_value(ignored))
        return await route.handle(services, body, request)

    return with_body


def _guarded(guard: Guard, gateway: Gateway) -> Middleware:
    public = frozenset(route.path for route in ROUTES if route.public)
    public_below = tuple(path.partition("{")[0] for path in public if "{" in path)

    @web.middleware
    async def middleware(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
        guard.check_host(request)
        guard.check_origin(request)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return preflight(request)
        if request.path in public or (public_below and request.path.startswith(public_below)):
            return await handler(request)
        name = guard.check_key(request)
        guard.check_rate(name)
        CALLER.set(Caller(name, remote=not is_local(request), route=_route_of(request)))
        await gateway.catalog_ready()
        return await handler(request)

    return middleware


def _route_of(request: web.Request) -> str:
    """Returns what was asked: nothing that the client made up, but for a method that no route has."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical}" if resource is not None else ""


def _errors(settings: ServerSettings) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
        REQUEST_ID.set(request_name(request))
        try:
            return await handler(request)
        except RequestError as error:
            return answer(request, problem_of(error.info))
        except HttpError as error:
            response = answer(request, error.problem)
            if error.problem.status in (408, 413, 415, 503):
                # The rest of the body is not worth reading.
                response.force_close()
            return response
        except web.HTTPException as error:
            if error is request.match_info.http_exception and (elsewhere := await redirect(request)) is not None:
                return elsewhere
            return answer(request, _http_problem(request, error, settings), dict(error.headers))
        except web.RequestPayloadError as error:
            reason = " ".join(str(error).removeprefix("400, message:").split())
            response = answer(request, Problem(400, f"the request body can't be read: {reason}", "malformed_http"))
            response.force_close()
            return response
        except ConnectionError:
            raise
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            return answer(request, OUR_MISTAKE)

    return middleware


def answer(request: web.BaseRequest, problem: Problem, more: dict[str, str] | None = None) -> web.Response:
    """Returns ``problem`` in the shape of the surface that was asked."""
    headers = {"Server": SERVER, **error_headers(problem)}
    if more and "Allow" in more:
        headers["Allow"] = more["Allow"]
    return web.Response(
        body=error_body(problem, error_shape(request)),
        status=problem.status,
        headers=headers,
        content_type="application/json",
    )


def _http_problem(request: web.Request, error: web.HTTPException, settings: ServerSettings) -> Problem:
    if error.status == HTTPStatus.NOT_FOUND:
        return Problem(404, f"there is no {request.path} here; /openapi.json lists what there is", "not_found")
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = error.headers.get("Allow", "")
        return Problem(405, f"{request.path} takes {allowed}, not {request.method}", "method_not_allowed")
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        limit = f"the request body is over {settings.max_body_bytes} bytes (server.max_body_bytes)"
        return Problem(413, limit, "request_too_large")
    return Problem(error.status, error.reason or HTTPStatus(error.status).phrase)
