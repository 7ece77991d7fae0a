"""Ends the server's process in time after a signal, even where its interpreter can't.

Python runs a signal's handler between two bytecodes, and a timer of its own on a thread that needs the interpreter: C
code that keeps the interpreter's lock stops both. ``faulthandler`` answers a signal in C, at once, by writing where the
program is; here it writes to a pipe, at whose other end a process of its own waits. That process counts the time, and
if the server is still there, says where it was stuck and kills it.
"""

from __future__ import annotations

import faulthandler
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

STDIN = 0


@contextmanager
def watching(numbers: Iterable[signal.Signals], seconds: float, run_directory: Path) -> Iterator[None]:
    """Has this process killed, and its run directory removed, ``seconds`` after the first of the signals, unless the
    block has ended by then. The signals' handlers must stand already: they are called as ever."""
    read, write = os.pipe()
    os.set_blocking(write, False)  # a signal's handler must not wait, whoever reads or doesn't
    # Nothing of mlxr and no package, so that it costs little and can't fail by what the server's own imports do.
    command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(seconds), str(run_directory)]
    with (
        open(write, "wb", buffering=0) as said,
        open(read, "rb", buffering=0) as heard,
        subprocess.Popen(command, stdin=heard, stdout=subprocess.DEVNULL, start_new_session=True) as process,
    ):
        heard.close()
        registered = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        for number in registered:
            faulthandler.register(number, file=said, all_threads=False, chain=True)
        try:
            yield
        finally:
            for number in registered:
                faulthandler.unregister(number)
            process.kill()


def watch(server: int, seconds: float, run_directory: Path) -> None:
    """Waits at stdin for the word that a signal has come; ends with the server."""
    if not (said := os.read(STDIN, 1 << 16)):
        return
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([STDIN], [], [], left)[0] and not os.read(STDIN, 1 << 16):
            return
    if os.getppid() == server:
        sys.stderr.write(f"mlxr did not end within {seconds:g} s of a signal and is killed; it was here then:\n")
        sys.stderr.write(said.decode(errors="replace"))
        os.kill(server, signal.SIGKILL)
        shutil.rmtree(run_directory, ignore_errors=True)


if __name__ == "__main__":
    watch(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
