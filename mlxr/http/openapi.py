"""The OpenAPI 3.1 document, made from the structs that decode requests (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

import mlxr
from mlxr.http.fields import described, parts_of
from mlxr.http.request_body.unknown_fields import HEADER
from mlxr.http.services import Route

_REF = "#/components/schemas/"
_PARAMETER = re.compile(r"\{(\w+)(?::[^}]*)?\}")

_DESCRIPTION = (
    "A local LLM server that speaks OpenAI's, Ollama's and Anthropic's APIs, and llama.cpp's own routes. Fields that "
    "change nothing are ignored; "
    "a field that can't be honoured is a 400 that names it; of a field that is not known, of what is left out of a "
    "request that can do without it, and of a schema's keywords that answers can't be held to, the response's "
    f"{HEADER} header tells."
)


def document(routes: Iterable[Route], errors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns the whole document for ``routes``. ``errors``: the JSON schema of errors by a route's tag; a route with
    another tag has OpenAI's."""
    routes = tuple(routes)
    types = [type for route in routes for type in (route.takes, route.gives) if type is not None]
    parts = parts_of(types)
    schemas, components = msgspec.json.schema_components([*types, *parts], ref_template=_REF + "{name}")
    names: dict[str, str] = {}
    for part, schema in zip(parts, schemas[len(types) :], strict=True):
        made = schema["$ref"].removeprefix(_REF)
        component = components[made]
        component["properties"] = described(part, component["properties"])
        # A struct says it for itself, not for those that have all of its fields and more.
        if published := vars(part).get("COMPONENT"):
            component["title"] = published.rpartition(".")[2]
            names[made] = published
    components = {names.get(name, name): _renamed(component, names) for name, component in components.items()}
    by_type = dict(zip(map(id, types), (_renamed(schema, names) for schema in schemas), strict=False))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, by_type, errors)
    return {
        "openapi": "3.1.0",
        "info": {"title": "mlxr", "version": mlxr.__version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": {**components, **{f"{tag}_error": schema for tag, schema in errors.items()}},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Returns a part of the document whose references lead to components by their published ``names``."""
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(reference := made.get("$ref"), str):
        name = reference.removeprefix(_REF)
        made["$ref"] = _REF + names.get(name, name)
    return made


def _operation(route: Route, schemas: dict[int, Any], errors: Collection[str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        "responses": {"200": _success(route, schemas), "default": _failure(route, errors)},
        "security": [] if route.public else [{}, {"bearer": []}, {"key": []}],
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in route.query.items()]
    if parameters:
        operation["parameters"] = parameters
    if route.takes is not None:
        content = {"application/json": {"schema": schemas[id(route.takes)]}}
        operation["requestBody"] = {"required": True, "content": content}
    elif route.method == "POST":
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _success(route: Route, schemas: dict[int, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if route.gives is not None:
        content["application/json"] = {"schema": schemas[id(route.gives)]}
    elif route.streams:
        content["application/json"] = {"schema": {"type": "object"}}
    if route.streams:
        content[route.streams] = {"schema": {"type": "string"}}
    return {"description": "Success", **({"content": content} if content else {})}


def _failure(route: Route, errors: Collection[str]) -> dict[str, Any]:
    if route.method == "HEAD":
        return {"description": "What went wrong"}
    tag = route.tag if route.tag in errors else "openai"
    schema = {"$ref": f"{_REF}{tag}_error"}
    return {"description": "What went wrong", "content": {"application/json": {"schema": schema}}}


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", _PARAMETER.sub(r"\1", route.path))
    return "_".join([route.method.lower(), *words])
