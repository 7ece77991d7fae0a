"""What is wrong with a request, whichever transport it came by."""

from __future__ import annotations

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo


def invalid(message: str, param: str | None = None) -> RequestError:
    """Returns the error of a request that can't be honoured as it stands; ``param`` names the field."""
    return RequestError(ErrorInfo(ErrorCode.INVALID, message, param))


def unsupported(field: str, reason: str = "") -> RequestError:
    """Returns the error of a field that is understood, and can't be honoured."""
    return unsupported_parameter(f"can't honour `{field}`: {reason or 'it is not supported here'}", field)


def unsupported_parameter(message: str, field: str) -> RequestError:
    """Returns the error of a ``field`` that asks for what the model or the server can't do, as ``message`` says."""
    return RequestError(ErrorInfo(ErrorCode.UNSUPPORTED_PARAMETER, message, field))
