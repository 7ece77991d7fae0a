"""The page on adding a message names files and symbols that are there."""

from __future__ import annotations

import re
from pathlib import Path

from mlxr.runtime.messages import ROUTES, Route, scheduler

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding/message.md").read_text()


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:mlxr|tests)/[\w/.]+\.py)`", PAGE)
    assert len(named) >= 5
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_pages_example_goes_the_way_that_the_page_says() -> None:
    assert Route("kv", scheduler.KVStats, "scheduler") in ROUTES
    assert "KVStats(" in (ROOT / "mlxr/actors/kv/actor.py").read_text()
    assert "@on(KVStats)" in (ROOT / "mlxr/actors/scheduler/actor.py").read_text()
    assert "def kv_stats" in (ROOT / "mlxr/actors/scheduler/core.py").read_text()
