"""Imports point one way, and the main process never loads MLX."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Container
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mlxr"

ALLOWED: dict[str, set[str]] = {
    "runtime": {"runtime"},
    "metal": {"metal", "runtime"},
    "models": {"models", "metal", "runtime"},
    "api": {"api", "models", "runtime"},
    "http": {"http", "api", "models", "runtime"},
    "actors": {"actors", "api", "models", "metal", "runtime"},
    "server": {"server", "http", "actors", "api", "models", "metal", "runtime"},
    "cli": {"cli", "server", "http", "actors", "api", "models", "metal", "runtime"},
}
"""Which rooms each room may look into."""

MAIN_PROCESS = (
    "mlxr.server.process",
    "mlxr.http.listeners.server",
    "mlxr.actors.frontend.actor",
    "mlxr.actors.tokenizer.actor",
    "mlxr.actors.scheduler.actor",
    "mlxr.actors.kv.actor",
    "mlxr.actors.registry.actor",
    "mlxr.actors.monitor.actor",
)


@cache
def nodes(file: Path) -> list[ast.Import | ast.ImportFrom]:
    """What ``file`` imports, at any depth of its code."""
    return [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(file: Path) -> set[str]:
    """The dotted names of modules that ``file`` imports anything of."""
    found: set[str] = set()
    for node in nodes(file):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            found.add(node.module)
    return found


def defined(module: Path) -> set[str]:
    """The names that a module, or a package beside its modules, gives itself rather than importing them."""
    package = module.with_suffix("")
    file = package / "__init__.py" if package.is_dir() else module
    tree = ast.parse(file.read_text())
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    if package.is_dir():
        names |= {path.stem for path in package.iterdir()}
        names |= {alias.asname or alias.name for node in nodes(file) for alias in node.names}
    return names


def test_benchmarks_import_names_from_where_they_are() -> None:
    """mypy looks at the package alone, so that a name that moves would leave them behind."""
    wrong = [
        f"{file.name}: {node.module}.{alias.name}"
        for file in (PACKAGE.parent / "bench").rglob("*.py")
        for node in nodes(file)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlxr")
        for alias in node.names
        if alias.name not in defined((PACKAGE.parent / (node.module or "").replace(".", "/")).with_suffix(".py"))
    ]
    assert not wrong


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in (PACKAGE / room).rglob("*.py")
        for name in imports(file)
        if name.startswith("mlxr.") and name.split(".")[1] not in ALLOWED[room]
    ]
    assert not wrong


def test_no_file_imports_itself_by_way_of_others() -> None:
    """Not even for its types: what two files need of each other is a third."""
    files = {_dotted(file): file for file in PACKAGE.rglob("*.py")}
    TopologicalSorter({name: _modules(file, files) for name, file in files.items()}).prepare()


def _dotted(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _modules(file: Path, known: Container[str]) -> set[str]:
    """Those of ``known`` that ``file`` imports."""
    found = {alias.name for node in nodes(file) if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes(file):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {part if part in known else node.module for part in parts}
    return {name for name in found if name in known}


SURFACES = sorted(file.parent.name for file in (PACKAGE / "http").glob("*/__init__.py") if "ROUTES" in file.read_text())
"""The folders of mlxr.http that have a table of routes."""


def surfaces_in(file: Path) -> set[str]:
    """The surfaces that ``file`` imports anything of."""
    # ``from mlxr.http import x`` names the package alone.
    named = {
        f"{node.module}.{alias.name}"
        for node in nodes(file)
        if isinstance(node, ast.ImportFrom) and node.module == "mlxr.http"
        for alias in node.names
    }
    parts = [name.split(".") for name in imports(file) | named]
    return {part[2] for part in parts if part[:2] == ["mlxr", "http"] and len(part) > 2 and part[2] in SURFACES}


def test_there_are_surfaces() -> None:
    assert {"openai", "responses", "anthropic", "ollama", "tokenize", "rerank", "status"} <= set(SURFACES)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_surface_imports_no_other_surface(surface: str) -> None:
    files = [*(PACKAGE / "http" / surface).rglob("*.py")]
    assert {other for file in files for other in surfaces_in(file)} <= {surface}


def test_the_table_of_routes_alone_knows_surfaces() -> None:
    knowing = {file.name for file in (PACKAGE / "http").glob("*.py") if surfaces_in(file)}
    assert knowing == {"routes.py"}


LANGUAGE: dict[str, set[str]] = {"output": set(), "chat": {"output"}, "constraints": {"chat", "output"}}
"""Which of the rooms of models that work on text each of them may look into."""


@pytest.mark.parametrize("room", sorted(LANGUAGE))
def test_constraints_know_chat_families_which_know_how_output_is_read_and_none_looks_back(room: str) -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in (PACKAGE / "models" / room).rglob("*.py")
        for name in imports(file)
        for other in LANGUAGE.keys() - LANGUAGE[room] - {room}
        if name == f"mlxr.models.{other}" or name.startswith(f"mlxr.models.{other}.")
    ]
    assert not wrong


def test_what_transports_share_knows_no_http() -> None:
    names = {name.split(".")[0] for file in (PACKAGE / "api").rglob("*.py") for name in imports(file)}
    assert "msgspec" in names
    assert not names & {"aiohttp", "prometheus_client", "yarl", "multidict"}


def test_only_the_bus_and_telemetrys_sockets_import_zmq() -> None:
    users = {file for file in PACKAGE.rglob("*.py") if any(name.split(".")[0] == "zmq" for name in imports(file))}
    assert users == {PACKAGE / "runtime" / name for name in ("bus.py", "loop_queue.py", "pubsub.py")}


def test_mlx_is_imported_by_models_metal_and_the_executor_alone() -> None:
    users = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "mlx" for name in imports(file))
    }
    assert users
    assert all(user.startswith(("models/", "metal/", "actors/executor/")) for user in users), sorted(users)


def loaded_with(*modules: str) -> set[str]:
    """Returns what is loaded once ``modules`` are, in a process of its own."""
    code = f"import sys, {', '.join(modules)}; print(sorted(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(ast.literal_eval(output))


def test_the_main_process_loads_every_actor_but_the_executor_without_mlx_torch_or_the_command_line() -> None:
    loaded = {name.split(".")[0] for name in loaded_with(*MAIN_PROCESS)}
    assert "mlxr" in loaded
    assert not loaded & {"mlx", "torch", "transformers", "llguidance", "typer", "pydantic", "rich"}


def test_a_server_starts_without_the_families_that_only_workers_and_executors_build() -> None:
    assert "mlxr.models.architectures.families" not in loaded_with(*MAIN_PROCESS)


def test_a_servers_first_processes_start_before_it_has_imported_a_loop_or_a_transport() -> None:
    loaded = loaded_with("mlxr.server.main")
    assert "mlxr.runtime.first_processes" in loaded
    assert not loaded & {"asyncio", "anyio", "aiohttp", "zmq", "numpy"}


def test_a_load_waits_for_no_transport_no_source_of_models_and_not_for_what_models_are_made_of() -> None:
    loaded = loaded_with("mlxr.server.process", "mlxr.actors.registry.actor")
    assert not loaded & {"aiohttp", "mlxr.actors.registry.long_commands", "mlxr.actors.registry.sources.pull"}
    assert not loaded & {"numpy", "mlxr.models.footprint", "mlxr.models.modelfile"}


def test_an_executor_starts_without_the_families_of_chats_and_without_those_of_models_that_it_may_not_load() -> None:
    loaded = loaded_with("mlxr.actors.executor.actor")
    assert "mlxr.models.loading" in loaded
    assert not loaded & {"mlxr.models.chat.families", "mlxr.models.architectures.families.all_families"}
