"""Typed look-ups in a model's metadata, with errors that name the file and the key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlxr.models.errors import ModelFileError


class Hyperparameters:
    """The settings of one architecture: ``integer("block_count")`` looks up ``<prefix>block_count``.

    Every look-up raises ``ModelFileError`` where the key is missing and has no default, or holds another type.
    """

    def __init__(self, path: Path, values: Mapping[str, Any], prefix: str = "") -> None:
        self.path = path
        self.values = values
        self.prefix = prefix

    def integer(self, key: str, default: int | None = None) -> int:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, value, "a whole number")
        return value

    def positive(self, key: str, default: int | None = None) -> int:
        value = self.integer(key, default)
        if value < 1:
            raise self._wrong(key, value, "1 or more")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, value, "a number")
        return float(value)

    def positive_number(self, key: str, default: float | None = None) -> float:
        value = self.number(key, default)
        if not 0 < value < float("inf"):
            raise self._wrong(key, value, "above 0")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, value, "text")
        return value

    def __contains__(self, key: str) -> bool:
        return self.prefix + key in self.values

    def _get(self, key: str, default: object) -> Any:
        value = self.values.get(self.prefix + key, default)
        if value is None:
            raise ModelFileError(
                self.path, f"lacks the key {self.prefix + key!r}, without which its model can't be built"
            )
        return value

    def _wrong(self, key: str, value: object, wanted: str) -> ModelFileError:
        return ModelFileError(self.path, f"has {str(value)[:60]!r} for {self.prefix + key!r}, which should be {wanted}")
