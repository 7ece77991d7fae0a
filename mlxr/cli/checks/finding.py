"""A finding of a check."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    ERROR = "error"


class Finding(Struct, frozen=True):
    """What a check found.

    check: its name.
    level: ok; warn: something is slower, or will fail later; error: something fails now.
    text: what was found, in a sentence.
    mend: a command that mends it, or what to do where no command does; empty where nothing is to be mended.
    """

    check: str
    level: Level
    text: str
    mend: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, Level.OK, text)


def warn(check: str, text: str, mend: str) -> Finding:
    return Finding(check, Level.WARN, text, mend)


def error(check: str, text: str, mend: str) -> Finding:
    return Finding(check, Level.ERROR, text, mend)
