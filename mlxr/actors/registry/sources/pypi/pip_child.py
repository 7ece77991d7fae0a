"""Runs pip in a process of its own, which ends when its parent does, however that happens.

Started by path, not as part of the package: it needs nothing but the standard library and pip.
"""

import os
import runpy
import sys
import threading


def _end_with_parent() -> None:
    """The parent holds the other end of standard input and writes nothing: the end of file is the end of it."""
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
