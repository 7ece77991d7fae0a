"""The server and the model that an agent is to work with, and the agent itself, for as long as it runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlxr.cli.client.client import asked
from mlxr.cli.client.endpoint import Endpoint
from mlxr.cli.launch.agent import Agent
from mlxr.cli.launch.plan import Plan
from mlxr.runtime.errors import MlxrError, ModelNotFound, StartError
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import read_addresses
from mlxr.runtime.whole_files import write_whole

KEEP_SECONDS = 600
TOUCH_SECONDS = 120.0
"""How long a model stays loaded while an agent runs that a server was started for, and how often that is asked for."""

USUAL = (".local/bin", ".claude/local", ".opencode/bin", ".npm-global/bin", ".cargo/bin", "bin")
"""Where installers put commands below the home directory, which need not be in PATH yet."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model to work with. ``context``: tokens; 0 where that is known only once it is loaded. ``why`` it is this one,
    where nobody named it."""

    name: str
    context: int
    tools: bool
    why: str = ""


def executable(agent: Agent) -> str | None:
    """Returns the path of an agent's command, None where it is not installed."""
    folders = [str(Path.home() / folder) for folder in USUAL]
    return shutil.which(agent.command) or shutil.which(agent.command, path=os.pathsep.join(folders))


def http_url(endpoint: Endpoint, home: Home) -> str:
    """Returns the URL of a server that agents can be given. Raises ``StartError`` where it listens on a socket
    alone."""
    if not endpoint.socket:
        return endpoint.url
    for address in read_addresses(home.run / str(endpoint.process)) if endpoint.process else []:
        if address.startswith("http"):
            return address
    raise StartError(f"the server listens on {endpoint.shown} alone, which agents can't connect to; give it a port")


def choose_model(endpoint: Endpoint, wanted: str | None, default: str) -> Chosen:
    """Returns the model that is named, else one that is loaded, else the default, else the newest. Raises
    ``ModelNotFound`` where there is none, and what the server says of a name that it does not know."""
    loaded = {model["name"]: model for model in asked(endpoint, "GET", "/api/ps")["models"]}
    here = [model for model in asked(endpoint, "GET", "/api/tags")["models"] if _talks(model)]
    if wanted:
        return _described(endpoint, wanted, loaded)
    for model in here:
        if model["name"] in loaded:
            return replace(_described(endpoint, model["name"], loaded), why="it is loaded")
    names = [model["name"] for model in here]
    if not names:
        raise ModelNotFound("no model that writes text is here; `mlxr pull smollm2` fetches a small one")
    if default in {*names, *map(_short, names)}:
        return replace(_described(endpoint, default, loaded), why="models.default names it")
    return replace(_described(endpoint, names[0], loaded), why="it is the newest here")


def choose_installed(home: Home, wanted: str | None, default: str) -> Chosen | None:
    """As ``choose_model`` where no server runs, by the catalogue; None where that has no such model."""
    # What reads models, which a server does elsewhere.
    from mlxr.actors.registry.catalogue.entry import CatalogueEntry
    from mlxr.actors.registry.catalogue.store import Store
    from mlxr.cli import interruptible
    from mlxr.models.names import key

    async def catalogued() -> list[CatalogueEntry]:
        store = await Store.open(home, copy=True)
        try:
            return await store.models()
        finally:
            await store.close()

    here = [entry for entry in interruptible.run(catalogued) if "completion" in entry.info.capabilities]
    named = key(wanted or default)
    for entry in here:
        if named in map(key, (entry.name, *entry.aliases)):
            return _installed(entry.name, entry.info, "" if wanted else "models.default names it")
    return _installed(here[0].name, here[0].info, "it is the newest here") if here and not wanted else None


def _installed(name: str, info: ModelInfo, why: str) -> Chosen:
    return Chosen(name, info.context_length or 0, "tools" in info.capabilities, why)


def _described(endpoint: Endpoint, name: str, loaded: dict[str, Any]) -> Chosen:
    shown = asked(endpoint, "POST", "/api/show", {"model": name})
    capabilities = shown.get("capabilities", [])
    if "completion" not in capabilities:
        raise ModelNotFound(f"{name} writes no text ({', '.join(capabilities)}); --model names another")
    lengths = [value for key, value in shown.get("model_info", {}).items() if key.endswith(".context_length")]
    found: dict[str, Any] = next((model for at, model in loaded.items() if _short(at) == _short(name)), {})
    context = int(found.get("context_length") or 0) or int(lengths[0] if lengths else 0)
    return Chosen(_short(name), context, "tools" in capabilities)


def load(endpoint: Endpoint, chosen: Chosen) -> Chosen:
    """Has the model loaded, and returns it with the context that it then has."""
    asked(endpoint, "POST", "/api/generate", {"model": chosen.name, "stream": False})
    loaded = {_short(model["name"]): model for model in asked(endpoint, "GET", "/api/ps")["models"]}
    context = int(loaded.get(chosen.name, {}).get("context_length") or chosen.context)
    return replace(chosen, context=context)


def run(plan: Plan, path: str, endpoint: Endpoint, model: str) -> int:
    """Runs the agent to its end and returns its exit status. Nothing of the user's own files is changed."""
    for file, text in plan.files.items():
        _write(file, text)
    environment = {name: value for name, value in os.environ.items() if name not in plan.unset}
    environment |= plan.environment
    command = [path, *plan.command[1:]]
    if not endpoint.background:
        os.execve(path, command, environment)
    with _kept(endpoint, model), subprocess.Popen(command, env=environment) as process:
        # Ctrl-C is the agent's to understand.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            status = process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status


def _write(file: Path, text: str) -> None:
    try:
        write_whole(file, text, 0o600)
    except OSError as error:
        raise StartError(f"can't write {file}: {error.strerror}") from error


@contextmanager
def _kept(endpoint: Endpoint, model: str) -> Any:
    """Keeps a server that was started for a command, and the model in it, until the block ends."""
    ended = threading.Event()

    def touch() -> None:
        while True:
            with suppress(MlxrError):
                asked(endpoint, "POST", "/api/generate", {"model": model, "keep_alive": KEEP_SECONDS, "stream": False})
            if ended.wait(TOUCH_SECONDS):
                return

    thread = threading.Thread(target=touch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _talks(model: dict[str, Any]) -> bool:
    return "completion" in model.get("capabilities", ["completion"])


def _short(name: str) -> str:
    return name.removesuffix(":latest")


def status_of(agents: Sequence[Agent]) -> list[tuple[Agent, str]]:
    """Returns each agent with the path of its command, '' where it is not installed."""
    return [(agent, executable(agent) or "") for agent in agents]
