"""Numbers of weights as people say them."""

from __future__ import annotations


def parameter_size(count: int) -> str:
    """134.52M, 7.2B, 135M: as Ollama writes them."""
    for size, unit, digits in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
        if count >= size:
            return f"{count / size:.{digits if count % size else 0}f}{unit}"
    return str(count)
