"""Failures of the tokenizer packages as mlxr's own errors.

A panic of Rust code reaches Python as an exception that is no ``Exception``, so that no handler would take it, and the
process ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlxr.models.tokenizers.errors import TokenizerError
from mlxr.runtime.errors import MlxrError, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

PANIC = "PanicException"
"""The class's name; it can't be imported."""


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Raises ``TokenizerError`` for whatever goes wrong: what a file describes can be wrong in any way."""
    try:
        yield
    except (MlxrError, MemoryError):
        raise
    except RecursionError as error:
        raise TokenizerError(f"{what} can't be read: it is nested too deeply") from error
    except Exception as error:
        raise TokenizerError(f"{what} can't be read: {_reason(error)}") from error
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise TokenizerError(f"{what} can't be used: {_reason(error)}") from error


@contextmanager
def encoding() -> Iterator[None]:
    """Raises ``RequestError`` where the package fails at a text."""
    try:
        yield
    except Exception as error:
        raise RequestError(_failed(error)) from error
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise RequestError(_failed(error)) from error


def _failed(error: BaseException) -> ErrorInfo:
    message = f"the model's tokenizer can't encode this text: {_reason(error)}"
    return ErrorInfo(ErrorCode.INVALID, message, "prompt")


def _reason(error: BaseException) -> str:
    named = isinstance(error, KeyError | IndexError | AttributeError | TypeError)
    return f"{type(error).__name__}: {error}"[:300] if named else str(error)[:300]
