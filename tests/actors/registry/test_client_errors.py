"""What clients are told of failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue.files import DigestMismatch, OutOfSpace
from mlxr.actors.registry.client_errors import error_info, without_paths
from mlxr.models.errors import ModelFileError
from mlxr.models.tokenizers import TokenizerError
from mlxr.runtime.errors import ModelError, ModelNotFound, PullError
from mlxr.runtime.messages.common import ErrorCode

HOME = Path("/home/ada/.local/share/mlxr")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModelFileError(HOME / "models/blobs/sha256-b17", "can't be used"), "sha256-b17: can't be used"),
        (
            ModelFileError(HOME / "models/ab12", f"has a fault: {HOME}/models/ab12/tokenizer.json is none"),
            "ab12: has a fault: tokenizer.json is none",
        ),
        (TokenizerError(f"{HOME}/models/ab12/tokenizer.json: odd"), "tokenizer.json: odd"),
        (OSError(13, "Permission denied", f"{HOME}/models/blobs"), "[Errno 13] Permission denied: 'blobs'"),
        (ModelError(f"can't use {HOME} for models"), "can't use MLXR_HOME for models"),
        (ModelFileError(Path("/data/x.gguf"), "is cut short"), "/data/x.gguf: is cut short"),
    ],
)
def test_clients_hear_of_no_path_under_the_home(error: Exception, message: str) -> None:
    assert error_info(error, HOME).message == message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfSpace(Path("/"), 5_000_000_000), ErrorCode.STORAGE_FULL),
        (PullError("the host nowhere.invalid can't be found"), ErrorCode.PULL_FAILED),
        (DigestMismatch("other bytes came than were announced"), ErrorCode.PULL_FAILED),
        (ModelNotFound("there is no such model"), ErrorCode.MODEL_NOT_FOUND),
        (ModelError("can't be used"), ErrorCode.MODEL_FAILED),
    ],
)
def test_what_the_network_and_the_disk_lack_is_not_the_models_fault(error: Exception, code: ErrorCode) -> None:
    assert error_info(error, HOME).code is code


def test_a_directory_beside_the_home_is_another() -> None:
    assert without_paths(f"{HOME}-old/x.gguf: odd", HOME) == f"{HOME}-old/x.gguf: odd"
