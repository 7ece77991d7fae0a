"""The processes that a server starts first, and those of actors."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

from mlxr.runtime.first_processes import HOST_ENVIRONMENT

TAKE_AND_GIVE = """
import ctypes, resource
from pathlib import Path

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

def filled(size):
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    return block

libc.free(filled(8 << 20))
before = resident()
blocks = [filled(1 << 20) for _ in range(32)]
for block in blocks[:-1]:
    libc.free(block)
print(resident() - before)
"""
"""Whoever frees a large block once has glibc keep smaller ones in its heap, where what lies behind holds them."""


def test_what_an_actors_process_has_used_for_a_while_goes_back_to_the_system() -> None:
    if platform.libc_ver()[0] != "glibc":
        assert all(name.startswith("MALLOC_") for name in HOST_ENVIRONMENT)  # others know none of these
        return
    environment = {**os.environ, **HOST_ENVIRONMENT}
    command = [sys.executable, "-c", TAKE_AND_GIVE]
    kept = int(subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout)
    assert kept < 8 << 20
