"""What is wrong with a Modelfile, and where."""

from __future__ import annotations

from mlxr.models import names
from mlxr.runtime.errors import ModelError


class ModelfileError(ModelError):
    """``file``: as the user named it. ``line``: counted from 1; 0 for the whole file."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        place = f"{names.escaped(file)}:{line}" if line else names.escaped(file)
        super().__init__(f"{place}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason
