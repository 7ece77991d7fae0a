"""Every route of the server: the tables of the surfaces put together. Nothing else knows more than one surface."""

from __future__ import annotations

from aiohttp import web
from msgspec.structs import replace

from mlxr.http import (
    anthropic,
    estimate,
    llamacpp,
    ollama,
    openai,
    rerank,
    responses,
    status,
    tokenize,
    tool_stores,
    ui,
)
from mlxr.http.anthropic.errors import anthropic_error
from mlxr.http.errors import ErrorShape
from mlxr.http.llamacpp.errors import llamacpp_error
from mlxr.http.ollama.errors import ollama_error
from mlxr.http.openai.errors import openai_error
from mlxr.http.sdk import asked_by_anthropic
from mlxr.http.services import Handler, Route, Services, with_heads
from mlxr.http.status.docs import doc_routes
from mlxr.http.ui.bundle.files import HOW_TO_BUILD, is_built
from mlxr.http.ui.bundle.serve import page
from mlxr.http.ui.errors import ui_error

ERROR_SCHEMAS = {
    "ollama": ollama.errors.ERROR_SCHEMA,
    "anthropic": anthropic.errors.ERROR_SCHEMA,
    "openai": openai.errors.ERROR_SCHEMA,
    "llamacpp": llamacpp.errors.ERROR_SCHEMA,
    "ui": ui.errors.ERROR_SCHEMA,
}
"""The JSON schema of errors by the tag of a route; others have OpenAI's."""


_LLAMACPP = frozenset(route.path for route in llamacpp.ROUTES)


def error_shape(request: web.BaseRequest) -> ErrorShape:
    """Returns the shape of errors for ``request``. Anthropic's clients also ask for models where OpenAI's do, and for
    what is not there."""
    if request.path.startswith(("/api/ui/", "/ui/")):
        return ui_error
    if request.path.startswith("/api/"):
        return ollama_error
    if request.path in _LLAMACPP or request.path.startswith("/slots/"):
        return llamacpp_error
    if request.path.startswith("/v1/messages") or asked_by_anthropic(request):
        return anthropic_error
    return openai_error


def unbuilt() -> str:
    """Returns what is lacking where the web application was not built, and what builds it; '' where it was."""
    return "" if is_built() else HOW_TO_BUILD


def _by_sdk(openais: Handler, anthropics: Handler) -> Handler:
    async def handle(services: Services, body: None, request: web.Request) -> web.StreamResponse:
        asked = anthropics if asked_by_anthropic(request) else openais
        return await asked(services, body, request)

    return handle


def _root(route: Route) -> Route:
    """Returns ``route`` as browsers see it: the web application at /, which Ollama's clients ask whether it is up."""
    if route.path != "/":
        return route

    async def handle(services: Services, body: None, request: web.Request) -> web.StreamResponse:
        wants_page = "text/html" in request.headers.get("Accept", "").lower()
        response = await (page if wants_page else route.handle)(services, body, request)
        response.headers["Vary"] = "Accept, Accept-Encoding"
        return response

    return replace(route, handle=handle)


def _shared(route: Route) -> Route:
    """Returns ``route`` of OpenAI's surface, in the form of whoever asks where Anthropic has one of that path."""
    for theirs in anthropic.MODEL_ROUTES:
        if route.path in (theirs.path, theirs.without_version().path):
            return replace(route, handle=_by_sdk(route.handle, theirs.handle), query=theirs.query)
    return route


_SURFACES = (
    *map(_root, status.ROUTES),
    *tokenize.ROUTES,
    *llamacpp.ROUTES,
    *rerank.ROUTES,
    *map(_shared, openai.ROUTES),
    *responses.ROUTES,
    *ollama.ROUTES,
    *anthropic.ROUTES,
    *tool_stores.ROUTES,
    *estimate.ROUTES,
    *ui.ROUTES,
)

ROUTES = with_heads((*_SURFACES, *doc_routes(_SURFACES, ERROR_SCHEMAS)))
