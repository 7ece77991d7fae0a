"""Imports what few servers need, where it is first needed."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import anyio


async def late_import(module: str) -> Any:
    """Returns the module, which is imported on a thread: the loop goes on meanwhile."""
    if module in sys.modules:
        return importlib.import_module(module)
    return await anyio.to_thread.run_sync(importlib.import_module, module)
