"""What is written for people: prose that fits a screen, and names of what is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxr.models.architectures.families import FAMILIES

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for room in ("docs", "bench", "tests/data") for page in ROOT.glob(f"{room}/**/*.md"))]
)
BUILD = [*ROOT.glob("*.toml"), *ROOT.glob("configs/*.toml"), *ROOT.glob("cmake/*.cmake")]
BUILD += [ROOT / "Makefile", ROOT / "CMakeLists.txt", ROOT / "mlxr/metal/cpu/native/CMakeLists.txt"]
COLUMNS = 120

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines outside code; rows of tables, which cannot be broken, are left out."""
    code = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        code ^= line.lstrip().startswith("```")
        if not code and not line.startswith("|"):
            yield number, line


@each_page
def test_no_line_of_prose_is_wider_than_a_screen(page: Path) -> None:
    assert not [number for number, line in prose(page) if len(line) > COLUMNS]


@pytest.mark.parametrize("file", BUILD, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_comment_of_what_builds_or_configures_is_wider_either(file: Path) -> None:
    comments = [line for line in file.read_text().splitlines() if re.match(r"#|[\w.]+ *= *[^\[]*# ", line)]
    assert comments
    assert not [line for line in comments if len(line) > COLUMNS]


@each_page
def test_a_link_leads_to_a_file_that_is_there(page: Path) -> None:
    links = [link for _, line in prose(page) for link in re.findall(r"\]\(([^)#\s]+)", line)]
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_readme_names_every_family_that_runs() -> None:
    modules = {family.read.__module__.rpartition(".")[2] for family in FAMILIES}
    readme = re.sub(r"[^a-z0-9]", "", (ROOT / "README.md").read_text().lower())
    assert {name for name in modules if name.replace("_", "") not in readme} == set()


STOPS = [
    (where, function)
    for where, functions in re.findall(
        r"^\| `(mlxr/[^`]+\.\w+)` \| ([^|]+) \|", (ROOT / "docs/architecture.md").read_text(), re.M
    )
    for function in re.findall(r"`([^`]+)`", functions)
]
"""The way of a request: files, and the functions in them that it comes by."""


@pytest.mark.parametrize(("where", "function"), STOPS)
def test_a_request_comes_by_functions_that_are_there(where: str, function: str) -> None:
    source = (ROOT / where).read_text()
    assert re.search(rf"\b{function}\(", source) if where.endswith(".cpp") else function in defined(source)


def test_the_map_of_packages_has_each_of_them() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    cells = re.findall(r"^\| (.+?) \|", page[page.index("## Who owns what") : page.index("## A request")], re.M)
    named = {where for cell in cells for where in re.findall(r"`([^`]+)`", cell)}
    packages = [file.parent for pattern in ("*", "actors/*") for file in ROOT.glob(f"mlxr/{pattern}/__init__.py")]
    assert named | {"mlxr/actors"} == {package.relative_to(ROOT).as_posix() for package in packages}


def test_every_package_says_what_it_is_for() -> None:
    files = sorted((ROOT / "mlxr").rglob("__init__.py"))
    assert [file for file in files if not ast.get_docstring(ast.parse(file.read_text()))] == []


ROOMS = ("mlxr", "tests", "ui/src", "configs", "docs", "bench")
SOURCES = [file.name for file in ROOT.glob("*.*")]
SOURCES += [file.relative_to(ROOT).as_posix() for room in ROOMS for file in (ROOT / room).rglob("*.*")]
TO_BE_MADE = re.compile("NAME|[Ff]oo")
"""In the names of files that a page has somebody make."""


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/adding/*.md")), ids=lambda page: page.stem)
def test_a_page_on_adding_names_files_that_are_there(page: Path) -> None:
    named = re.findall(r"`([\w./-]+\.(?:py|md|h|cpp|toml|tsx?|metal|cuh?))`", page.read_text())
    known = [name for name in named if not TO_BE_MADE.search(name)]
    assert [name for name in known if not any(f"/{file}".endswith(f"/{name}") for file in SOURCES)] == []


def defined(source: str) -> set[str]:
    """The functions of a Python file, and the methods of its classes."""
    nodes = ast.parse(source).body
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    named = [("", node) for node in nodes] + [(f"{node.name}.", inner) for node in classes for inner in node.body]
    return {f"{before}{n.name}" for before, n in named if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
