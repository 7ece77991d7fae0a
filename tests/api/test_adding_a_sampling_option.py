"""docs/adding/sampling-option.md names the files through which its example goes, from requests to kernels."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding/sampling-option.md").read_text()


def test_the_pages_option_is_in_every_file_that_the_page_names() -> None:
    named = [ROOT / name for name in re.findall(r"`((?:mlxr|tests)/[\w./]+)`", PAGE)]
    assert len(named) > 20
    texts = {path: path.read_text() for path in named if path.is_file()}
    texts |= {path: "".join(file.read_text() for file in path.glob("*.py")) for path in named if path.is_dir()}
    assert [path for path in named if "min_p" not in texts[path]] == []
