"""Errors as clients of llama.cpp's server read them."""

from __future__ import annotations

from typing import Any, Final

from mlxr.http.errors import HttpError, Problem
from mlxr.runtime.messages.common import ErrorCode

_UNSUPPORTED: Final = 501
_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    500: "server_error",
    _UNSUPPORTED: "not_supported_error",
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
    if problem.code == ErrorCode.CONTEXT_LENGTH:
        kind = "exceed_context_size_error"
    return {"error": {"code": problem.status, "message": problem.message, "type": kind}}


def not_supported(message: str) -> HttpError:
    """Returns the error of a route that llama.cpp's server has, and this one can't have."""
    return HttpError(Problem(_UNSUPPORTED, message, "not_supported", deterministic=True))
