"""Modules that are imported where they are first needed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from mlxr.runtime.late_import import late_import

WAITS = """
import tests.runtime.test_late_import as waiter
waiter.begun.set()
in_time = waiter.may_end.wait(30)
"""

begun, may_end = threading.Event(), threading.Event()


async def test_the_loop_goes_on_for_who_comes_second_while_a_module_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waits_to_be_imported.py").write_text(WAITS)
    monkeypatch.syspath_prepend(tmp_path)
    got: list[Any] = []

    async def wanted() -> None:
        got.append(await late_import("waits_to_be_imported"))

    async def ended() -> None:
        may_end.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wanted)
        await anyio.to_thread.run_sync(begun.wait)
        tasks.start_soon(wanted)
        tasks.start_soon(ended)
    assert [module.in_time for module in got] == [True, True]
    del sys.modules["waits_to_be_imported"]
