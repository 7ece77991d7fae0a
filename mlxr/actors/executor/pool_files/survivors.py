"""Which pages of a file that a killed process left are as they were recorded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.pool_files.records import PageRecords, Record, checksum_of

log = logging.getLogger("mlxr.executor")


class Survivors:
    """Looks at all recorded pages on a thread of its own, from ``start`` on, while nobody writes to any.

    ``parts``: of each cache group, as ``FilePools.parts`` returns them.
    """

    def __init__(self, records: PageRecords, parts: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
        self._records = records
        self._parts = parts
        self._found: list[Record] = []
        self._thread = threading.Thread(target=self._look, name="survivors", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> list[Record]:
        """Waits until all are looked at; returns those that are right, the latest last, and none at the next time:
        somebody may write to them from then on."""
        self._thread.join()
        found, self._found, self._parts = self._found, [], []
        return found

    def _look(self) -> None:
        try:
            records = self._records.all()
            right = [
                record for record in records if checksum_of(self._parts[record.group], record.page) == record.checksum
            ]
        except Exception as error:  # whatever it is, somebody waits for an answer
            log.warning("what a killed process left in memory can't be used: %s", error)
            return
        if records:
            log.info("%s of %s pages are still in memory as a killed process left them", len(right), len(records))
        self._found = right
