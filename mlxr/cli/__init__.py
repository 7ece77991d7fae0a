"""The command line: ``mlxr``."""

from __future__ import annotations


def main() -> None:
    """Exit status: 0, 1 (failed, with one line that says why), 2 (wrong usage), 130 (interrupted)."""
    # Not at the top: the server's process, which is of this package too, does without Typer.
    from mlxr.cli.app import run

    run()
