"""Numbers of weights and of bytes as people say them."""

from __future__ import annotations


def parameter_size(count: int) -> str:
    """134.52M, 7.2B, 135M: as Ollama writes them."""
    for size, unit, digits in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
        if count >= size:
            return f"{count / size:.{digits if count % size else 0}f}{unit}"
    return str(count)


def readable(size: float) -> str:
    """``size`` bytes in decimal units, as disks are sold: 92.9 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
