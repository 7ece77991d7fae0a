"""What went wrong, in HTTP's terms. Each surface has a form of its own in which its clients read it.

The SDKs retry 408, 409, 429 and 5xx by themselves: ``x-should-retry: false`` keeps them from repeating what fails
the same way every time, ``Retry-After`` tells them how long to wait with the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from mlxr.api.one_line_json import one_line_json
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.printable import shortened

LONGEST = 2_000
"""Characters of an error's message, or of the field's name."""


class Problem(Struct, frozen=True):
    """One failure in HTTP's terms.

    status: of the response.
    message: for people: what is wrong, and the way out.
    code: for programs.
    param: the field at fault.
    retry_after: seconds after which to try again.
    deterministic: the same request would fail again.
    """

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    deterministic: bool = False

    def __post_init__(self) -> None:
        # Messages quote what clients sent, which may be megabytes.
        for name, text in (("message", self.message), ("param", self.param)):
            if text and len(text) > LONGEST:
                msgspec.structs.force_setattr(self, name, shortened(text, LONGEST))


class HttpError(MlxrError):
    """Raised by handlers and middleware for what only HTTP knows (no key, no such route, too large)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


_STATUS: dict[ErrorCode, int] = {
    ErrorCode.INVALID: 400,
    ErrorCode.CONTEXT_LENGTH: 400,
    ErrorCode.UNSUPPORTED: 400,
    ErrorCode.UNSUPPORTED_PARAMETER: 400,
    ErrorCode.MODEL_NOT_FOUND: 404,
    ErrorCode.MODEL_FAILED: 500,
    ErrorCode.PULL_FAILED: 502,
    ErrorCode.OUT_OF_MEMORY: 507,
    ErrorCode.ENGINE_FAILED: 500,
    ErrorCode.INTERNAL: 500,
    ErrorCode.CANCELLED: 500,
    ErrorCode.QUEUE_FULL: 503,
    ErrorCode.LOADING: 503,
    ErrorCode.SHUTTING_DOWN: 503,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.STORAGE_FULL: 507,
}

_DETERMINISTIC = frozenset(
    {
        ErrorCode.MODEL_FAILED,
        ErrorCode.OUT_OF_MEMORY,
        ErrorCode.STORAGE_FULL,
        ErrorCode.INTERNAL,
        ErrorCode.CANCELLED,
    }
)


def problem_of(info: ErrorInfo) -> Problem:
    status = _STATUS[info.code]
    retry_after = 1.0 if status == 503 and info.retry_after is None else info.retry_after
    code = None if info.code is ErrorCode.INVALID else info.code.value
    return Problem(status, info.message, code, info.param, retry_after, info.code in _DETERMINISTIC)


OUR_MISTAKE = Problem(
    500, "mlxr made a mistake in answering this; its log says more", ErrorCode.INTERNAL, deterministic=True
)


ErrorShape = Callable[[Problem], dict[str, Any]]
"""How a surface tells its clients of a problem, as what becomes JSON."""


def error_headers(problem: Problem) -> dict[str, str]:
    headers: dict[str, str] = {}
    if problem.retry_after is not None and problem.status in (429, 503):
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.deterministic and problem.status >= 500:
        headers["x-should-retry"] = "false"
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def error_body(problem: Problem, shape: ErrorShape) -> bytes:
    # Bytes of a header that are no UTF-8 reach a message as surrogates, of which no JSON can be made.
    param = None if problem.param is None else _written_out(problem.param)
    return one_line_json(shape(msgspec.structs.replace(problem, message=_written_out(problem.message), param=param)))


def _written_out(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
