"""What is said to bytes that are no HTTP, in the words of every other error."""

from __future__ import annotations

from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from mlxr.http.errors import Problem

HEADER_BYTES = 8190
"""What the request line, and each header, may have."""


class VersionError(HttpProcessingError):
    """A request of a version of HTTP that is not spoken here."""

    code = 505


class ExpectationError(HttpProcessingError):
    """A request that expects what no server here does."""

    code = 417


def unspoken(message: RawRequestMessage) -> HttpProcessingError | None:
    """Returns why a request that could be read is not one for this server; None if it is."""
    version = message.version
    if version.major != 1:
        return VersionError(message=f"it is of HTTP/{version.major}.{version.minor}; use HTTP/1.1")
    expected = message.headers.get("Expect", "")
    if expected and expected.lower() != "100-continue":
        return ExpectationError(message=f"this server can't meet Expect: {expected}")
    return None


def problem_with(error: HttpProcessingError) -> Problem:
    if isinstance(error, LineTooLong):
        return Problem(431, f"the request line, and each header, may have {HEADER_BYTES} bytes", "header_too_large")
    if isinstance(error, VersionError):
        return Problem(505, f"this request can't be answered: {error.message}", "http_version")
    if isinstance(error, ExpectationError):
        return Problem(417, error.message, "expectation_failed")
    return Problem(400, f"this is no HTTP request: {reason_of(error)}", "malformed_http")


def reason_of(error: HttpProcessingError) -> str:
    """Returns the parser's message in one line: it goes on with a picture of the input and a mark under the wrong
    character."""
    reason, _, picture = error.message.strip().partition("\n\n")
    line = picture.strip().partition("\n")[0]
    return " ".join(reason.split()).rstrip(":") + (f": {line}" if line else "")
