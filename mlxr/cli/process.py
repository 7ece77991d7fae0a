"""The server's process: what ``mlxr up`` goes on as, see ``mlxr.cli.order``."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import anyio
import msgspec

from mlxr.cli import signals
from mlxr.cli.ending import ending
from mlxr.cli.order import Order
from mlxr.cli.server import serve
from mlxr.runtime import descriptors, logs
from mlxr.runtime.paths import Home


def main() -> None:
    """``python -m mlxr.cli.process DESCRIPTOR``: serve the order in that open file."""
    with ending():
        signals.hold()
        with os.fdopen(int(sys.argv[1]), "rb") as file:
            file.seek(0)
            order = msgspec.json.decode(file.read(), type=Order)
        logs.set_up(order.config.log.level)
        descriptors.raise_limit()
        work = partial(serve, order.config, Home(Path(order.home)))
        status = anyio.run(work, backend_options={"use_uvloop": True})
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads that are still at work must not hold the process up.
    os._exit(status)


if __name__ == "__main__":
    main()
