"""Errors of mlxr. Callers catch bases; code raises leaves.

MlxrError
├── ConfigError         a configuration key or value is wrong; names it and the good ones
├── RequestError        one request failed; carries ``ErrorInfo``
├── StartError          the server can't start (port taken, run directory not writable)
└── ModelError          a model can't be had or used
    ├── ModelNotFound   no such name, alias, package or file
    ├── ModelFileError  a file is corrupt or of an unknown kind; names file, offset and reason
    └── PullError       fetching failed (network, disk, checksum)
"""

from __future__ import annotations

from mlxr.runtime.messages.common import ErrorInfo


class MlxrError(Exception):
    """Base of everything mlxr raises on purpose; its text is fit for users."""


class ConfigError(MlxrError):
    pass


class StartError(MlxrError):
    pass


class RequestError(MlxrError):
    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class ModelError(MlxrError):
    pass


class ModelNotFound(ModelError):  # noqa: N818  (the name people search for)
    pass


class PullError(ModelError):
    pass
