"""Names that a package shows and has not imported: who asks for one loads the module that it lies in, and no other."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Returns a package's ``__getattr__`` (PEP 562). ``places``: modules within it by the names that it shows, none of
    which may be a module's own."""

    def get(name: str) -> Any:
        if (module := places.get(name)) is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{module}"), name)

    return get
