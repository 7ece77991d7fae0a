"""The code of a page under ``docs/adding``, as a module: following the page is running what it says."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs" / "adding"


def python_of(page: str) -> str:
    """The one block of Python that ``page`` has, without the space that it stands behind."""
    (block,) = re.findall(r"^ *```python\n(.*?)^ *```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    margin = len(block) - len(block.lstrip())
    return "\n".join(line[margin:] for line in block.splitlines())


def imported(name: str, code: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``code`` as the module ``name``, for as long as the test runs."""
    file = directory / f"{name}.py"
    file.write_text(code)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module
