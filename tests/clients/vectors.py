"""What sentence-transformers made of some texts, to compare with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "minilm.json").read_text())
TEXTS: list[str] = [one["text"] for one in RECORDED]
VECTORS = np.array([one["vector"] for one in RECORDED])
ENOUGH = 0.9999


def likeness(vectors: Sequence[Sequence[float]]) -> float:
    """The least cosine similarity of ``vectors`` to those recorded for the first ``TEXTS``."""
    given = np.array(vectors)
    known = VECTORS[: len(given)]
    return float(((given * known).sum(1) / np.linalg.norm(given, axis=1) / np.linalg.norm(known, axis=1)).min())
