"""The command line: ``mlxr``."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Exit status: 0, 1 (failed, with one line that says why), 2 (wrong usage), 130 (interrupted)."""
    # Until there is something to tidy up, Ctrl-C ends the process by itself, without a word on what it was importing.
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mlxr.cli.server_ahead import begin

    server = begin(sys.argv[1:])
    # Not at the top: the server's process, which is of this package too, does without Typer.
    from mlxr.cli.app import run

    signal.signal(signal.SIGINT, interrupted)
    run(server)
