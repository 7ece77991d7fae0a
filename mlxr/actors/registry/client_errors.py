"""What clients are told when a registry command fails."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from msgspec import structs

from mlxr.actors.registry.catalogue.files import OutOfSpace
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.runtime.errors import MlxrError, ModelNotFound, PullError, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

log = logging.getLogger("mlxr.registry")


def error_info(error: Exception, home: Path) -> ErrorInfo:
    """``error`` for a client, without the paths under ``home``, which are nothing for clients; what mlxr did not raise
    on purpose is logged with its traceback."""
    info = _info(error)
    # What is not found is named as the client did.
    if isinstance(error, ModelNotFound):
        return info
    return structs.replace(info, message=without_paths(info.message, home))


def without_paths(message: str, home: Path) -> str:
    """``message`` with the names alone of files under ``home``."""
    root = re.escape(str(home))
    named = re.sub(rf"{root}/(?:[^\s/:'\"]+/)*(?=[^\s/])", "", message)
    return re.sub(rf"{root}(?![\w.-])", "MLXR_HOME", named)


def _info(error: Exception) -> ErrorInfo:
    match error:
        case RequestError():
            return error.info
        case ModelNotFound():
            return ErrorInfo(ErrorCode.MODEL_NOT_FOUND, str(error), param="model")
        case UnsupportedModelError():
            return ErrorInfo(ErrorCode.UNSUPPORTED, str(error))
        case UnusableModelError():
            # A file that the client named or sent.
            return ErrorInfo(ErrorCode.INVALID, str(error), param="model")
        case OutOfSpace():
            return ErrorInfo(ErrorCode.STORAGE_FULL, str(error))
        case PullError():
            # The network's fault, or its hosts', and not this server's.
            return ErrorInfo(ErrorCode.PULL_FAILED, str(error))
        case MlxrError() | OSError():
            return ErrorInfo(ErrorCode.MODEL_FAILED, str(error))
        case ValueError():
            return ErrorInfo(ErrorCode.INVALID, str(error))
    log.error("a registry command failed", exc_info=error)
    return ErrorInfo(ErrorCode.INTERNAL, f"mlxr made a mistake here ({type(error).__name__}); its log says more")
