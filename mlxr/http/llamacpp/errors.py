"""Errors as clients of llama.cpp's server read them."""

from __future__ import annotations

from typing import Any, Final

from mlxr.http.errors import Problem

_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    500: "server_error",
    503: "unavailable_error",
}

ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "type": {"type": "string"},
            },
            "required": ["code", "message", "type"],
        }
    },
    "required": ["error"],
}


def llamacpp_error(problem: Problem) -> dict[str, Any]:
    kind = _TYPES.get(problem.status, "server_error" if problem.status > 500 else "invalid_request_error")
    return {"error": {"code": problem.status, "message": problem.message, "type": kind}}
