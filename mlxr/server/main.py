"""The main function of the server's process, which ``exec_server`` puts in the place of ``mlxr up``."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import anyio
import msgspec

from mlxr.runtime import descriptors, logs
from mlxr.runtime.exit_status import exit_on_error
from mlxr.runtime.paths import Home
from mlxr.server import signals
from mlxr.server.exec_server import ServerArguments
from mlxr.server.serve import serve


def main() -> None:
    """``python -m mlxr.server.main DESCRIPTOR``: serve what that open file says."""
    with exit_on_error():
        signals.hold()
        with os.fdopen(int(sys.argv[1]), "rb") as file:
            file.seek(0)
            arguments = msgspec.json.decode(file.read(), type=ServerArguments)
        logs.set_up(arguments.config.log.level)
        descriptors.raise_limit()
        work = partial(serve, arguments.config, Home(Path(arguments.home)))
        status = anyio.run(work, backend_options={"use_uvloop": True})
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads that are still at work must not hold the process up.
    os._exit(status)


if __name__ == "__main__":
    main()
