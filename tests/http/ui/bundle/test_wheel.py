"""A wheel carries the built web application, which git ignores, by this project's own settings."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[4]
DIST = "mlxr/http/ui/bundle/dist"


def test_a_wheel_carries_the_built_application(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("pyproject.toml", "CMakeLists.txt", ".gitignore", "README.md", "LICENSE", "mlxr/__init__.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    (project / "configs").mkdir()
    (project / DIST / "assets").mkdir(parents=True)
    for name in ("index.html", "index.html.br", "sw.js", "assets/index-1.js"):
        (project / DIST / name).write_text("built")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index",
         "--disable-pip-version-check", "-C", "wheel.cmake=false", "-w", tmp_path, project],
        check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        inside = set(packed.namelist())
    assert {f"{DIST}/{name}" for name in ("index.html", "index.html.br", "sw.js", "assets/index-1.js")} <= inside
