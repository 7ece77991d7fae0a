"""What the pages under docs/adding name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "adding").glob("*.md"))
FILES = [
    path.relative_to(ROOT).as_posix()
    for top in ("mlxr", "tests", "docs", "bench")
    for path in (ROOT / top).rglob("*.*")
]
PATH = re.compile(r"`([\w./-]+\.(?:py|pyi|md|h|cpp))`")


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = PATH.findall(page.read_text())
    assert named
    missing = [name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in FILES)]
    assert missing == []
