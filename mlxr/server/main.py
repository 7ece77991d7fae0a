"""The main function of the server's process, which ``exec_server`` puts in the place of ``mlxr up``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec

from mlxr.runtime import descriptors, logs
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.exit_status import exit_on_error, sole_error
from mlxr.runtime.log_file import LogFileSettings
from mlxr.runtime.logs import LogSettings
from mlxr.runtime.paths import Home
from mlxr.server import signals
from mlxr.server.config import Config
from mlxr.server.exec_server import ServerArguments
from mlxr.server.serve import serve


def log_settings(config: Config, home: Home) -> LogSettings:
    """Returns how a server logs: to stderr, and to the home's file unless it is read-only or the file is given up."""
    log = config.log
    if not log.max_bytes or not home.writable():
        return LogSettings(log.level)
    return LogSettings(log.level, LogFileSettings(str(home.log), log.max_bytes, log.keep))


def _run(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Returns the server's exit status; what ends it otherwise is in the log file, too."""
    try:
        return anyio.run(work, backend_options={"use_uvloop": True})
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            only = sole_error(error)
            known = isinstance(only, MlxrError)
            log = logging.getLogger("mlxr")
            if known:
                # ``exit_on_error`` says it on stderr.
                log.critical("the server ended: %s", only, extra=logs.FILE_ALONE)
            else:
                log.critical("the server ended: %s", only, exc_info=error)
        raise
    finally:
        logs.close()


def main() -> None:
    """``python -m mlxr.server.main DESCRIPTOR``: serve what that open file says."""
    with exit_on_error():
        signals.hold()
        with os.fdopen(int(sys.argv[1]), "rb") as file:
            file.seek(0)
            arguments = msgspec.json.decode(file.read(), type=ServerArguments)
        config, home = arguments.config, Home(Path(arguments.home))
        logs.set_up(log_settings(config, home), hide=tuple(config.server.api_keys))
        descriptors.raise_limit()
        work = partial(
            serve,
            config,
            home,
            background=arguments.background,
            settings=arguments.settings,
            required=arguments.required,
        )
        status = _run(work)
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads that are still at work must not hold the process up.
    os._exit(status)


if __name__ == "__main__":
    main()
