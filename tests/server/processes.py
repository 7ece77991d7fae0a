"""What the system says of other processes, on Linux and on macOS: by ``ps``, else by ``/proc`` or ``lsof``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROC = Path("/proc/self").resolve().parent
"""Where Linux describes processes; not there on macOS."""


def children_of(parent: int) -> list[int]:
    """Process ids of a process's children. By every process's parent: what Linux lists as children lacks some while
    others come or go (proc(5))."""
    processes = [line.split() for line in _output("ps", "-A", "-o", "pid=", "-o", "ppid=").splitlines()]
    return [int(process) for process, its_parent in processes if int(its_parent) == parent]


def command_of(process: int) -> str:
    """The command line that a process was started with; an empty string where there is no such process."""
    return _output("ps", "-ww", "-o", "command=", "-p", str(process)).strip()


def command_and_environment_of(process: int) -> str:
    """The same, and its environment behind it."""
    environment = "-Eww" if sys.platform == "darwin" else "eww"
    return _output("ps", environment, "-o", "command=", "-p", str(process)).strip()


def alive(process: int) -> bool:
    """Whether it runs: one that has ended and was not waited for does not."""
    return _output("ps", "-o", "stat=", "-p", str(process)).strip()[:1] not in ("", "Z")


def resident_bytes(process: int) -> int:
    """Bytes in memory, what is shared with other processes included."""
    return int(_output("ps", "-o", "rss=", "-p", str(process))) * 1024


def virtual_bytes(process: int) -> int:
    """Bytes of address space."""
    return int(_output("ps", "-o", "vsz=", "-p", str(process))) * 1024


def open_descriptors(process: int) -> int:
    """How many descriptors a process has open."""
    if PROC.is_dir():
        return len(list((PROC / str(process) / "fd").iterdir()))
    return sum(line[:1] == "f" and line[1:].isdecimal() for line in _files(process))


def mapped_files(process: int) -> str:
    """The names of the files that a process has mapped, its libraries among them."""
    if PROC.is_dir():
        return (PROC / str(process) / "maps").read_text()
    return "\n".join(line[1:] for line in _files(process) if line[:1] == "n")


def _files(process: int) -> list[str]:
    return _output("lsof", "-n", "-P", "-p", str(process), "-F", "fn").splitlines()


def _output(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
