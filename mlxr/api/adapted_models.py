"""Models with adapters, as transports list them and refuse what is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo


class Served(NamedTuple):
    """What a request may name as its model.

    entry: the catalogue's, an adapter's where it is the adapter that makes the difference.
    parent: the model that the adapter is added to; None for a model by itself.
    """

    name: str
    entry: ModelEntry
    parent: ModelEntry | None = None


def served(models: Sequence[ModelEntry]) -> Iterator[Served]:
    """Yields every model, and behind them each with an adapter that fits it: clients take the first that is listed."""
    by_name = {entry.name: entry for entry in models}
    for entry in models:
        if not entry.info.is_adapter:
            yield Served(entry.name, entry)
    for entry in models:
        for name in entry.fits if entry.info.is_adapter else ():
            if name in by_name:
                yield Served(f"{name}+{entry.name}", entry, by_name[name])


def no_model(entry: ModelEntry) -> ErrorInfo:
    """Returns why an adapter can't be asked by itself."""
    trained = f", trained on {entry.info.base}" if entry.info.base else ""
    fits = f": {', '.join(f'{name}+{entry.name}' for name in entry.fits[:5])}" if entry.fits else ""
    message = f"{entry.name!r} is an adapter{trained}; name a model that it fits too, as in MODEL+{entry.name}{fits}"
    return ErrorInfo(ErrorCode.INVALID, message, "model")
