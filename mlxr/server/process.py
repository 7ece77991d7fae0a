"""The server's process, once its first processes are on their way: how it logs, and what becomes of its errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec

from mlxr.runtime import logs
from mlxr.runtime.actor_process import ActorProcess
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.exit_status import sole_error
from mlxr.runtime.first_processes import FirstProcesses
from mlxr.runtime.log_file import LogFileSettings
from mlxr.runtime.logs import LogSettings
from mlxr.runtime.paths import Home
from mlxr.runtime.sandbox import Nursery
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


def run(given: bytes, first: FirstProcesses | None) -> int:
    """Serves what ``given``, the ``ServerArguments`` as JSON, says; returns the exit status. ``first``: processes that
    were started for it."""
    nursery = spare = None
    if first is not None:
        nursery = Nursery(first.nursery, first.control)
        if first.executor is not None:
            spare = ActorProcess(first.executor)
    arguments = msgspec.json.decode(given, type=ServerArguments)
    config, home = arguments.config, Home(Path(arguments.home))
    logs.set_up(log_settings(config, home), hide=tuple(config.server.api_keys))
    work = partial(
        serve,
        config,
        home,
        background=arguments.background,
        settings=arguments.settings,
        required=arguments.required,
        nursery=nursery,
        spare=spare,
    )
    return _run(work)
