"""The OpenAPI 3.1 document, made from the structs that decode requests (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

import mlxr
from mlxr.http.fields import described, parts_of
from mlxr.http.request_body.unknown_fields import HEADER
from mlxr.http.services import Route

_REF = "#/components/schemas/"
_PARAMETER = re.compile(r"\{(\w+)(?::[^}]*)?\}")

_DESCRIPTION = (
    "A local LLM server that speaks OpenAI's, Ollama's and Anthropic's APIs. Fields that change nothing are ignored; "
    "a field that can't be honoured is a 400 that names it; of a field that is not known, and of what is left out of a "
    f"request that can do without it, the response's {HEADER} header tells."
)

_ERRORS: dict[str, dict[str, Any]] = {
    "ollama": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
    "anthropic": {
        "type": "object",
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
                "required": ["type", "message"],
            },
        },
        "required": ["type", "error"],
    },
    "openai": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
                "required": ["message", "type", "param", "code"],
            }
        },
        "required": ["error"],
    },
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document for ``routes``."""
    routes = tuple(routes)
    types = [type for route in routes for type in (route.takes, route.gives) if type is not None]
    parts = parts_of(types)
    schemas, components = msgspec.json.schema_components([*types, *parts], ref_template=_REF + "{name}")
    by_type = dict(zip(map(id, types), schemas, strict=False))
    for part, schema in zip(parts, schemas[len(types) :], strict=True):
        component = components[schema["$ref"].removeprefix(_REF)]
        component["properties"] = described(part, component["properties"])
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "mlxr", "version": mlxr.__version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": {**components, **{f"{tag}_error": schema for tag, schema in _ERRORS.items()}},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _operation(route: Route, schemas: dict[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        "responses": {"200": _success(route, schemas), "default": _failure(route)},
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


def _failure(route: Route) -> dict[str, Any]:
    tag = route.tag if route.tag in _ERRORS else "openai"
    schema = {"$ref": f"{_REF}{tag}_error"}
    return {"description": "What went wrong", "content": {"application/json": {"schema": schema}}}


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", _PARAMETER.sub(r"\1", route.path))
    return "_".join([route.method.lower(), *words])
