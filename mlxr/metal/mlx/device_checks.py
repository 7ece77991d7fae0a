"""Whether MLX computes rightly on this very device, looked at once and remembered.

Wheels have shipped with kernels left out or miscompiled, so that a version proves nothing. The checks run once for a
device, its driver and a version of MLX; what fails is not used.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path

from mlxr.metal.gpu.kernel import digest_of_kernels
from mlxr.metal.mlx import device
from mlxr.metal.mlx.checks import CHECKS, products
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.matrix_forms import KINDS, Kind
from mlxr.runtime.whole_files import write_whole

log = logging.getLogger("mlxr.metal")

IN_PLACE = ("paged_decode", "step_attention", "paged_prefill", "recurrence", "dense_layers", "attention_halves")
"""Ways that are only taken where pages are written in place."""

PARTS = {
    "dense_layers": {"few_rows", "step_attention"},
    "attention_halves": {"few_rows", "step_attention", "experts"},
    "grouped_experts": {"tables"},
}
"""Ways that are only taken where others are."""


class DeviceChecks:
    """What has been found of this device, remembered in ``folder`` for its name, its driver, the version of MLX
    and our own kernels.

    It contains the kinds of codes whose products are right, and looks when it is first asked for them: a kernel for
    each may have to be compiled first, and few models have all.
    """

    def __init__(self, ways: Ways, folder: Path) -> None:
        self._ways = ways
        self._path = folder / "device-checks.json"
        version = metadata.version("mlx")
        self._identity = {
            "device": device.described(),
            "driver": device.driver(),
            "mlx": version,
            "ways": repr(ways),
            "kernels": digest_of_kernels(),
        }
        self._found = _remembered(self._path, self._identity)

    @property
    def failing(self) -> frozenset[str]:
        """Names of what was looked at and is wrong, as in ``CHECKS``, or ``codes KIND``."""
        return frozenset(name for name, right in self._found.items() if not right)

    def sound_ways(self) -> Ways:
        """Returns the ways that compute rightly on this device."""
        return self._ways.without(frozenset(name for name in CHECKS if not self._right(name)))

    def __contains__(self, kind: object) -> bool:
        return kind in KINDS and self._right(f"codes {kind}")

    def _right(self, name: str) -> bool:
        if name not in self._found:
            self._found[name] = holds(self._ways, name)
            if not self._found[name]:
                log.warning("%s computes %r wrong: a plain way is taken", self._identity["device"], name)
            self._write()
        return self._found[name]

    def _write(self) -> None:
        try:
            write_whole(self._path, json.dumps({**self._identity, "found": self._found}), 0o600)
        except OSError as error:
            log.warning("what was found of the device can't be kept: %s", error)


def holds(ways: Ways, name: str) -> bool:
    """Whether the way ``name`` computes rightly here, alone among plain ones so that a fault has one name; True for one
    that the device does not have."""
    if name.startswith("codes "):
        only: Ways | None = _only(ways, set())
        check: Callable[[Ways], bool] = partial(products, _kind(name.removeprefix("codes ")))
    else:
        only = _only(ways, {name} | PARTS.get(name, set()) | ({"in_place"} if name in IN_PLACE else set()))
        check = CHECKS[name]
    if only is None:
        return True
    try:
        return check(only)
    except Exception as error:  # of any kind: a kernel that does not compile, or that the wheel lacks
        log.warning("a check of the device failed: %s", error)
        return False


def _remembered(path: Path, identity: Mapping[str, str]) -> dict[str, bool]:
    try:
        record = json.loads(path.read_text())
        if {key: record[key] for key in identity} == dict(identity):
            return {str(name): bool(right) for name, right in record["found"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass  # there is none, or it is damaged: it is made anew
    return {}


def _only(ways: Ways, names: set[str]) -> Ways | None:
    """``ways`` with the plain way for everything but ``names``; None where the device does not have those."""
    if not all(getattr(ways, name) for name in names):
        return None
    return ways.without(frozenset(name for name in CHECKS if name not in names))


def _kind(name: str) -> Kind:
    return int(name) if name.isdecimal() else name
