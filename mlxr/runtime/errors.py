"""Errors of mlxr. Callers catch bases; code raises leaves.

Those with a room behind them are declared there; ``mlxr.models.errors`` draws its part again.

MlxrError
├── ConfigError                      a configuration key or value is wrong; names it and the good ones
├── StartError                       the server can't start (port taken, run directory not writable)
├── RequestError                     one request failed; carries ``ErrorInfo``
│   ├── Unloaded                     registry: a model was unloaded before it was ready
│   └── ChatError                    models/chat: a conversation can't be made a prompt; names the field
├── HttpError                        http: a status that no ``ErrorCode`` has
├── ServerError                      cli: a server refused a request, or failed in its midst
├── ServerGone                       cli: nothing answers where the server is, or it ended in the midst of an answer
├── SandboxKilled                    runtime/sandbox: a task gave no result; says why
├── CanNotMeasure                    registry: the backend that is asked for can't be measured here; says why
├── NativeUnavailableError           metal: the native kernels are missing, or fail on this machine
├── MlxUnavailableError              metal: MLX does not load here, and nothing can be computed; says why
├── ChatsUnusable                    chats: their file can't be opened; says why
│   └── ChatsDamaged                 chats: what is in it can't be read
├── NoEncoder                        models/quantization: ggml's library is missing, or fails on this machine
└── ModelError                       a model can't be had or used
    ├── ModelNotFound                no such name, alias, package or file
    │   ├── NoRepository             registry: the Hub shows no such repository to whoever asks
    │   └── NoModelAtPath            registry: the same words for clients whatever the reason
    ├── PullError                    fetching failed (network, checksum, a package without a model)
    │   ├── OutOfSpace               registry: the disk is full
    │   ├── Gated                    registry: a repository of the Hub is for who has asked its owner
    │   ├── Denied                   registry: a host keeps a file from whoever asks
    │   ├── Changed                  registry: a file changed at its source while it was fetched
    │   └── DigestMismatch           registry: other bytes came than were announced
    ├── GoneFromStore                registry: another tool removed or changed files that were imported in place
    ├── ModelfileError               registry: a Modelfile is wrong; names file and line
    ├── DoesNotFit                   executor: a model needs more memory than there is; says how much
    ├── NoDraftModel                 executor: what is to draft for a model can't; says why
    ├── Damaged                      registry: the catalogue can't be read
    ├── TokenizerError               models/tokenizers: a tokenizer's files can't be used
    └── UnusableModelError           models: a model's files can't be used; names file and reason
        ├── ModelFileError           malformed, at a byte where one is known
        └── UnsupportedModelError    sound, but of a kind that mlxr does not run
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The messages of all actors, which commands do without.
    from mlxr.runtime.messages.common import ErrorInfo


class MlxrError(Exception):
    """Base of everything mlxr raises on purpose; its text is fit for users."""


class ConfigError(MlxrError):
    """A configuration key or value is wrong."""


class StartError(MlxrError):
    """The server can't start."""


class RequestError(MlxrError):
    """One request failed; ``info`` is what its client is told."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class ModelError(MlxrError):
    """Base: a model can't be had or used."""


class ModelNotFound(ModelError):  # noqa: N818  (the name people search for)
    """There is no such model."""


class PullError(ModelError):
    """A model can't be fetched."""


def system_reason(error: OSError) -> str:
    """Returns what the system says of it; asyncio's own words name the call and the address, which whoever tells of it
    has named."""
    return os.strerror(error.errno) if error.errno else str(error)
