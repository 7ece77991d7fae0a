"""Checks of the machine: memory, control group, disk, descriptors, huge pages, clock, port."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from mlxr.cli.checks.finding import Finding, error, ok, warn

LOW_MEMORY, NO_MEMORY = 2_000_000_000, 500_000_000
LOW_DISK, NO_DISK = 5_000_000_000, 500_000_000
FEW_DESCRIPTORS = 1024
"""What a server with a few dozen clients and several models gets by with."""

HUGE_PAGES = Path("sys/kernel/mm/transparent_hugepage/enabled")
CGROUP_LIMITS = (Path("sys/fs/cgroup/memory.max"), Path("sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNLIMITED = 1 << 60
ROOT = Path("/")
CLOCK_SECONDS = 86_400


def memory(available: int) -> Finding:
    text = f"{_gb(available)} are free"
    mend = "mlxr stop --all  (or end what else takes memory)"
    if available < NO_MEMORY:
        return error("memory", f"{text}, too few for most models", mend)
    if available < LOW_MEMORY:
        return warn("memory", f"{text}, enough for small models alone", mend)
    return ok("memory", text)


def control_group(needs: Iterable[tuple[str, int]], root: Path = ROOT) -> Finding:
    """The limit on this process's memory against what each model takes, by name."""
    limit = _limit(root)
    if limit is None:
        return ok("memory limit", "there is none on this process")
    beyond = [f"{name} ({_gb(size)})" for name, size in needs if size > limit]
    if beyond:
        mend = "give the container more: docker update --memory 16g NAME, or MemoryMax= of the service"
        return error("memory limit", f"the limit of {_gb(limit)} is below what {', '.join(beyond)} takes", mend)
    return ok("memory limit", f"{_gb(limit)} for this process and its like")


def _limit(root: Path) -> int | None:
    for path in CGROUP_LIMITS:
        try:
            text = (root / path).read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < UNLIMITED:
            return int(text)
    return None


def disk(folder: Path, free: int | None = None) -> Finding:
    """Room for models. ``free``: bytes; None to ask the system."""
    nearest = next(above for above in (folder, *folder.parents) if above.exists())
    left = shutil.disk_usage(nearest).free if free is None else free
    mend = "mlxr rm NAME  (`mlxr list` shows sizes; MLXR_HOME names another disk)"
    text = f"{_gb(left)} are free at {nearest}"
    if left < NO_DISK:
        return error("disk", f"{text}: nothing can be pulled", mend)
    if left < LOW_DISK:
        return warn("disk", f"{text}: larger models can't be pulled", mend)
    return ok("disk", text)


def descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEW_DESCRIPTORS:
        text = f"at most {hard} files can be open, so that few clients can be connected at once"
        return warn("open files", text, f"ulimit -Hn {FEW_DESCRIPTORS * 4}  (LimitNOFILE= of a service; needs root)")
    return ok("open files", "no limit" if hard == resource.RLIM_INFINITY else f"{hard} ({soft} unless raised)")


def huge_pages(root: Path = ROOT) -> Finding:
    try:
        text = (root / HUGE_PAGES).read_text()
    except OSError:
        return ok("huge pages", "this system does not have the setting")
    if "[never]" in text:
        mend = f"echo madvise | sudo tee /{HUGE_PAGES}"
        return warn("huge pages", "they are off, which slows models down on a CPU", mend)
    return ok("huge pages", text[text.find("[") + 1 : text.find("]")])


def clock(now: float, written: Path) -> Finding:
    """The clock against a file that was there before now; TLS refuses every server where it is behind."""
    then = written.stat().st_mtime
    if now < then - CLOCK_SECONDS:
        text = (
            f"it says {datetime.fromtimestamp(now):%Y-%m-%d}, before mlxr was installed ({_day(then)}): TLS will fail"
        )
        return error("clock", text, "sudo timedatectl set-ntp true")
    return ok("clock", f"{datetime.fromtimestamp(now):%Y-%m-%d %H:%M}")


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment):%Y-%m-%d}"


def port(host: str, number: int, ours: Iterable[str]) -> Finding:
    """Whether a server could listen where it is set to. ``ours``: addresses of servers of this home."""
    where = f"{host}:{number}"
    if not number:
        return ok("port", "a free one is taken")
    if any(address.endswith(f":{number}") for address in ours):
        return ok("port", f"a server of this home listens on {where}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as refusal:
            if refusal.errno == errno.EADDRINUSE:
                text = f"{where} is taken by {holder(number)}"
            else:
                text = f"{where} can't be had ({refusal.strerror})"
            return error("port", text, f"mlxr config set server.port {number + 1}  (or end that program)")
    return ok("port", f"{where} is free")


def holder(number: int) -> str:
    """Who listens on a port, as far as the system tells this user."""
    # What only a port that is taken needs.
    import psutil

    try:
        found = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == number]
    except psutil.Error:
        return f"another program (`sudo lsof -i :{number}` shows which)"
    for connection in found:
        if connection.pid:
            try:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (pid {connection.pid})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return f"a program of another user (`sudo lsof -i :{number}` shows which)"


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def effective_user() -> int:
    return os.geteuid()
