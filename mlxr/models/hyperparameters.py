"""Typed look-ups in a model's metadata, with errors that name the file and the key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from mlxr.models.errors import AGAIN, ModelFileError

MOST = 1 << 28
HUGE = 1e30
"""Sizes and numbers beyond these are a fault of the file."""


class Format(StrEnum):
    """How a model's files name settings and tensors: GGUF's way, or that of Hugging Face's folders, or MLX's."""

    GGUF = "gguf"
    HUGGING_FACE = "huggingface"
    MLX = "mlx"


class Hyperparameters:
    """The settings of one architecture: ``integer("block_count")`` looks up ``<prefix>block_count``, or what ``keys``
    has for it.

    Every look-up raises ``ModelFileError`` where the key is missing and has no default, or holds another type.
    """

    def __init__(
        self,
        path: Path,
        values: Mapping[str, Any],
        prefix: str = "",
        format: Format = Format.GGUF,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.values = values
        self.prefix = prefix
        self.format = format
        self._keys = keys or {}
        self._asked: set[str] = set()

    def integer(self, key: str, default: int | None = None) -> int:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, value, "a whole number")
        return value

    def positive(self, key: str, default: int | None = None, most: int = MOST) -> int:
        """Returns a whole number from 1 to ``most``, which no model that there is comes near."""
        value = self.integer(key, default)
        if value < 1:
            raise self._wrong(key, value, "1 or more")
        if value > most:
            raise self._wrong(key, value, f"at most {most}")
        return value

    def positives(self, key: str, count: int, default: int | None = None, most: int = MOST) -> list[int]:
        """As many whole numbers from 1 to ``most``: a list of them, or one for all."""
        value = _listed(self._get(key, default))
        if not isinstance(value, list):
            return [self.positive(key, default, most)] * count
        if len(value) != count or not all(type(one) is int and 1 <= one <= most for one in value):
            raise self._wrong(key, value, f"a list of {count} whole numbers from 1 to {most}")
        return value

    def shared(self, key: str, default: int | None = None, most: int = MOST) -> int:
        """As ``positive``, where a file may have a number for each layer: that of all layers that have any."""
        if isinstance(self.values.get(self._name(key)), int | None):
            return self.positive(key, default, most)
        numbers = self.integers(key) or []
        found = sorted({number for number in numbers if number})
        if len(found) != 1 or not 1 <= found[0] <= most:
            values = ", ".join(map(str, found[:4])) or "0"
            reason = (
                f"has the numbers {values} for {self._name(key)!r}; mlxr runs one, from 1 to {most}, for all layers"
            )
            raise ModelFileError(self.path, reason)
        return found[0]

    def each(self, key: str, count: int) -> list[int]:
        """Returns a whole number for each of ``count`` layers: a list of so many, or one for all."""
        if isinstance(self.values.get(self._name(key)), int | None):
            return [self.integer(key)] * count
        numbers = self.integers(key) or []
        if len(numbers) < count:
            raise self.error(f"has {len(numbers)} numbers for {self._name(key)!r} and {count} layers")
        return numbers[:count]

    def number(self, key: str, default: float | None = None) -> float:
        """Returns a finite number."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < HUGE:
            raise self._wrong(key, value, "a number")
        return float(value)

    def positive_number(self, key: str, default: float | None = None) -> float:
        value = self.number(key, default)
        if not value > 0:
            raise self._wrong(key, value, "above 0")
        return value

    def epsilon(self, key: str, default: float | None = None) -> float:
        """Returns what a norm adds to keep from dividing by zero: from 0 to 1."""
        value = self.number(key, default)
        if not 0 <= value <= 1:
            raise self._wrong(key, value, "from 0 to 1")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def texts(self, key: str) -> list[str] | None:
        """Returns a list of texts; None where there is no such key."""
        if key not in self:
            return None
        value = _listed(self._get(key, None))
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(key, value, "a list of texts")
        return value

    def is_list(self, key: str) -> bool:
        """Whether there is such a key, with a list behind it."""
        return isinstance(self.values.get(self._name(key)), list | np.ndarray)

    def flags(self, key: str, count: int) -> list[bool] | None:
        """Returns a list of ``count`` flags, as such or as 0 and 1; None where there is no such key."""
        if key not in self:
            return None
        value = _listed(self._get(key, None))
        if not isinstance(value, list) or len(value) != count or not all(one in (0, 1) for one in value):
            raise self._wrong(key, value, f"a list of {count} flags")
        return [bool(one) for one in value]

    def integers(self, key: str) -> list[int] | None:
        """Returns a list of whole numbers; None where there is no such key."""
        if key not in self:
            return None
        value = _listed(self._get(key, None))
        if not isinstance(value, list) or not all(type(one) is int for one in value):
            raise self._wrong(key, value, "a list of whole numbers")
        return value

    def numbers(self, key: str, count: int, finite: bool = True) -> list[float] | None:
        """Returns a list of ``count`` numbers, ``finite`` ones if so asked; None where there is no such key."""
        if key not in self:
            return None
        value = _listed(self._get(key, None))
        sound = isinstance(value, list) and all(
            type(one) in (int, float) and (abs(one) < HUGE or not finite) for one in value
        )
        if not sound or len(value) != count:
            raise self._wrong(key, value, f"a list of {count} numbers")
        return [float(one) for one in value]

    def limits(self, key: str) -> tuple[float, float] | None:
        """Two numbers, the second above the first, which may be infinite as JSON or transformers writes that; None
        where there is no such key."""
        if key not in self:
            return None
        value = self._get(key, None)
        pair = value if isinstance(value, list) else []
        numbers = [math.inf if one == {"__float__": "Infinity"} else one for one in pair]
        sound = len(numbers) == 2 and all(type(one) in (int, float) for one in numbers)
        if not sound or not -HUGE < numbers[0] < numbers[1]:
            raise self._wrong(key, value, "two numbers, the larger one last")
        return float(numbers[0]), float(numbers[1])

    def unasked(self) -> dict[str, Any]:
        """Returns the settings under the prefix that nobody looked up, by key without it."""
        rest = {key: value for key, value in self.values.items() if key.startswith(self.prefix)}
        return {key[len(self.prefix) :]: value for key, value in rest.items() if key not in self._asked}

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, value, "text")
        return value

    def error(self, reason: str) -> ModelFileError:
        """Returns the error for settings that can't be, or don't go together: with the file and the way out."""
        return ModelFileError(self.path, f"{reason}; {AGAIN}")

    def __contains__(self, key: str) -> bool:
        return self._name(key) in self.values

    def _name(self, key: str) -> str:
        return self._keys.get(key, self.prefix + key)

    def _get(self, key: str, default: object) -> Any:
        name = self._name(key)
        self._asked.add(name)
        value = self.values.get(name)
        value = default if value is None else value  # JSON's null says as much as no entry
        if value is None:
            raise self.error(f"lacks the key {name!r}, without which its model can't be built")
        return value

    def _wrong(self, key: str, value: object, wanted: str) -> ModelFileError:
        if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
            value = f"an array of {len(value)}"
        return self.error(f"has {str(value)[:60]!r} for {self._name(key)!r}, which should be {wanted}")


def _listed(value: Any) -> Any:
    """Returns a GGUF file's array as JSON has a list, other values as they are."""
    return value.tolist() if isinstance(value, np.ndarray) else value
