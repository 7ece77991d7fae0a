"""Imports what few servers need, where it is first needed."""

from __future__ import annotations

import importlib
from typing import Any

import anyio


async def late_import(module: str) -> Any:
    """Returns the module, which is imported on a thread: the loop goes on meanwhile.

    Also where somebody has begun with that: ``sys.modules`` has a module before it is imported, and who wants it then
    waits until it is.
    """
    return await anyio.to_thread.run_sync(importlib.import_module, module)
