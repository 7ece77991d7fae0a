"""The file with what was learned of one model's speculation on one device."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import anyio

from mlxr.actors.scheduler.speculation.engine import EngineSpeculation
from mlxr.actors.scheduler.speculation.saved_statistics import restore, saved_text
from mlxr.runtime.messages.scheduler import DrafterInfo
from mlxr.runtime.whole_files import write_whole

log = logging.getLogger("mlxr")

MOST_BYTES = 1 << 20


class SpeculationFile:
    """Owns which file it is, once an executor has said what it computes with. What can't be read or written costs what
    was learned, and nothing else."""

    def __init__(self, folder: Path, speculation: EngineSpeculation) -> None:
        self._folder = folder
        self._depths = speculation.depths
        self._device = speculation.device
        self._file: Path | None = None

    def opened(self, contents: list[str], drafter: DrafterInfo | None = None) -> None:
        """An executor is there, of this model and device, with a drafter; what is known of them is taken in, once."""
        contents = [*contents, drafter.kind, drafter.name] if contents and drafter is not None else contents
        name = hashlib.blake2b("\0".join(contents).encode(), digest_size=16).hexdigest()
        file = self._folder / f"{name}.json"
        if not contents or file == self._file:
            return
        self._file = file
        try:
            with file.open("rb") as opened:
                text = opened.read(MOST_BYTES).decode(errors="replace")
        except OSError:
            return
        if not restore(text, self._depths.times, self._depths.acceptance, self._device.times):
            log.info("%s is damaged or of another version, and is written anew", file)

    async def keep(self) -> None:
        """Writes down what there is, if anything has changed."""
        times = self._depths.times
        if self._file is None or not times.changed:
            return
        times.changed = False
        text = saved_text(times, self._depths.acceptance, self._device.times)
        try:
            await anyio.to_thread.run_sync(write_whole, self._file, text, 0o600)
        except OSError as error:
            log.info("can't keep what was learned of speculation: %s", error)
