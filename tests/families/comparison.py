"""What a case gave, and how far two outputs are from each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.float32]
"""What comes out for each token: logits ``[T, vocabulary]``, or hidden states ``[T, width]``."""

PROMPT, GREEDY = 40, 64


@dataclass(slots=True)
class Comparison:
    """What a case gave.

    Attributes:
        errors: by who was compared (``folder``, ``gguf``, ...), how far its outputs are from transformers'.
        greedy: by who was compared, how many of the ``GREEDY`` tokens that transformers writes came out equal, each
            from the tokens before it; empty for encoders.
        refused: by who was compared, why there is no figure, in one line.
        beside_llama_cpp: how far mlxr's outputs of the GGUF file are from llama.cpp's of the same file.
    """

    errors: dict[str, float] = field(default_factory=dict)
    greedy: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    beside_llama_cpp: float | None = None

    def note(self, who: str, error: float) -> None:
        """The worst of what was noted of somebody counts."""
        self.errors[who] = max(error, self.errors.get(who, 0.0))

    def note_text(self, who: str, logits: Rows, tokens: list[int]) -> None:
        """``tokens``: the prompt and what transformers writes behind it."""
        likeliest = logits[PROMPT - 1 : -1].argmax(axis=1)
        equal = int((likeliest == np.array(tokens[PROMPT:])).sum())
        self.greedy[who] = min(equal, self.greedy.get(who, GREEDY))


def difference(logits: Rows, expected: Rows, of_rows: Any = np.max) -> float:
    """Returns the largest difference of a row's numbers, relative to the largest of all: the worst row's, or what
    else ``of_rows`` makes of them."""
    rows = np.abs(logits[:, : expected.shape[1]] - expected).max(axis=1)
    return float(of_rows(rows) / np.abs(expected).max())
