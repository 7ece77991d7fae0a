"""The ``[ui]`` section of the configuration, and what the monitor is told at its start."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from mlxr.runtime.config import Section, about


class UISection(Section, frozen=True):
    """``[ui]``: the web application."""

    developer: Annotated[bool, about("a page may kill executors, to show that streams survive it")] = False


class MonitorSettings(Struct, frozen=True):
    """As the supervisor hands them over.

    home: MLXR_HOME, where metrics are kept.
    developer: executors may be killed.
    """

    home: str
    developer: bool = False
