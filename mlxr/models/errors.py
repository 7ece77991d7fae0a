"""What can be wrong with a model on disk; leaves of the tree in ``mlxr.runtime.errors``.

ModelError
└── UnusableModelError        the model can't be used; names the file and the reason
    ├── ModelFileError        the file is malformed, at a byte offset where one is known
    └── UnsupportedModelError the file is sound, but holds something mlxr does not run
"""

from __future__ import annotations

from pathlib import Path

from mlxr.runtime.errors import ModelError

AGAIN = "fetch it again"
"""The way out of a file that came damaged."""
ONE_VERSION = "fetch all of the model's files of one version"
"""That of files which contradict each other."""


class UnusableModelError(ModelError):
    """Base. ``path`` is the file or folder at fault, ``reason`` a phrase that reads well after it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def within(self, model: Path) -> str:
        """Returns the reason for who knows that it is about ``model``: with the file's name if it is one of several."""
        return self.reason if self.path == model else f"{self.path.name} {self.reason}"


class ModelFileError(UnusableModelError):
    """Malformed. ``offset``: the byte where it shows, None where no single place is to blame."""

    def __init__(self, path: Path, reason: str, offset: int | None = None) -> None:
        super().__init__(path, reason if offset is None else f"{reason} (at byte {offset})")
        self.offset = offset


class UnsupportedModelError(UnusableModelError):
    """Well-formed, but of an architecture, tensor type or variant that mlxr lacks."""
