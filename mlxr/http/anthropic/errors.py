"""Errors as Anthropic's clients read them."""

from __future__ import annotations

from typing import Any, Final

from mlxr.http.errors import Problem
from mlxr.runtime.logs import REQUEST_ID

_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    507: "api_error",
}

_NO_THREADS: Final = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
"""What Anthropic's tool runners wait for to send the whole conversation each time, where a server holds none."""

ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
            "required": ["type", "message"],
        },
        "request_id": {"type": "string"},
    },
    "required": ["type", "error"],
}


def anthropic_error(problem: Problem) -> dict[str, Any]:
    """Returns ``problem`` as an answer has it: with the request's name, which is in its header, too."""
    kind = _TYPES.get(problem.status, "invalid_request_error")
    details = {"details": _NO_THREADS} if (problem.param, problem.code) == ("thread", "unsupported_parameter") else {}
    name = {"request_id": REQUEST_ID.get()} if REQUEST_ID.get() else {}
    return {"type": "error", "error": {"type": kind, "message": problem.message, **details}, **name}
