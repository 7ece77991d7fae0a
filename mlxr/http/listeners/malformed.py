"""What is said to bytes that are no HTTP, in the words of every other error."""

from __future__ import annotations

from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from mlxr.http.errors import Problem

HEADER_BYTES = 8190
"""What the request line, and each header, may have."""


class VersionError(HttpProcessingError):
    """A request of a version of HTTP that is not spoken here."""

    code = 505


def problem_with(error: HttpProcessingError) -> Problem:
    if isinstance(error, LineTooLong):
        return Problem(431, f"the request line, and each header, may have {HEADER_BYTES} bytes", "header_too_large")
    if isinstance(error, VersionError):
        return Problem(505, f"this request can't be answered: {error.message}", "http_version")
    return Problem(400, f"this is no HTTP request: {reason_of(error)}", "malformed_http")


def reason_of(error: HttpProcessingError) -> str:
    """Returns the parser's message in one line: it goes on with a picture of the input and a mark under the wrong
    character."""
    reason, _, picture = error.message.strip().partition("\n\n")
    line = picture.strip().partition("\n")[0]
    return " ".join(reason.split()).rstrip(":") + (f": {line}" if line else "")
