"""Starts a server for a command where none runs.

It listens on a free port of the loopback address, loads what it is asked for and nothing else, and ends by itself once
no model has been loaded and no request open for a few seconds, which is ``models.keep_alive`` (or ``--keepalive``)
after the last answer. Commands meanwhile find it as they find any server of this ``MLXR_HOME``. It logs as every server
does (``mlxr logs``); what it would print on a terminal is in ``HOME/logs/background.log``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from typing import BinaryIO
from urllib.parse import urlsplit

import msgspec

from mlxr.cli.client.endpoint import Endpoint, of_process, running
from mlxr.runtime.config import Flag, load
from mlxr.runtime.errors import StartError
from mlxr.runtime.paths import Home

START_SECONDS = 60.0
POLL_SECONDS = 0.01
LOG = "background.log"
LEAST_ROOM = 1 << 16
"""Bytes without which a server may be unable to write what is in its way."""

PRIVATE = (
    Flag("server.host", "server.host", "127.0.0.1"),
    Flag("server.port", "server.port", 0),
    Flag("server.ollama_port", "server.ollama_port", 0),
    Flag("server.unix_socket", "server.unix_socket", ""),
    Flag("server.tls_certificate", "server.tls_certificate", ""),
    Flag("server.tls_key", "server.tls_key", ""),
    Flag("server.api_keys", "server.api_keys", []),
    Flag("telemetry.endpoint", "telemetry.endpoint", ""),
)
"""What the user's configuration says of these is for the server that others reach."""


def started(home: Home) -> Endpoint:
    """Returns a server that runs under ``home``: one that this starts, unless another command was faster. Raises
    ``StartError`` with the reason it gave, and ``ConfigError`` for a configuration that is wrong."""
    try:
        home.make()
    except OSError as error:
        raise StartError(f"can't use {home.root}: {error.strerror}; MLXR_HOME sets another place") from None
    with _alone(home):
        if found := running(home):
            return found[0]
        return _start(home)


def _start(home: Home) -> Endpoint:
    # The server's own modules, which a command that finds one running does without.
    from mlxr.cli.configuration import configuration_file
    from mlxr.runtime.config_sources import everything
    from mlxr.server.config import SECRET, Config
    from mlxr.server.exec_server import ServerArguments

    file = configuration_file(None, home)
    config = load(Config, file, os.environ, PRIVATE)
    settings = [each.without_secrets(SECRET) for each in everything(Config, file, os.environ, PRIVATE)]
    with tempfile.TemporaryFile() as arguments, _log_file(home) as log:
        given = ServerArguments(config, str(home.root), background=True, settings=settings)
        arguments.write(msgspec.json.encode(given))
        arguments.flush()
        descriptor = arguments.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "mlxr.server.main", str(descriptor), "background"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[descriptor],
            cwd="/",
            # Away from the terminal: what ends the command must not end the server of others.
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while (endpoint := of_process(home, process.pid)) is None or not _is_ready(endpoint):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise StartError(f"the server did not start: {_last_words(log, home)}")
            time.sleep(POLL_SECONDS)
    # It is nobody's child any more once this command ends; until then it is waited for by nobody.
    process.returncode = 0
    return endpoint


def _is_ready(endpoint: Endpoint) -> bool:
    """Whether it knows its models: it listens before, and may yet fail."""
    address = urlsplit(endpoint.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One command at a time starts a server."""
    descriptor = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _log_file(home: Home) -> Iterator[BinaryIO]:
    """The log, begun anew; one without a name where the home is read-only."""
    with ExitStack() as opened:
        folder = home.log.parent
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            file: BinaryIO = opened.enter_context((folder / LOG).open("w+b"))
        except OSError:
            file = opened.enter_context(tempfile.TemporaryFile())
        yield file


def _last_words(log: BinaryIO, home: Home) -> str:
    log.seek(0)
    lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    if lines:
        return lines[-1].removeprefix("mlxr: ")
    # Where there is no room its words are lost, too.
    if shutil.disk_usage(home.root).free < LEAST_ROOM:
        return f"no space is left in {home.root}; make room, or set MLXR_HOME to a larger disk"
    return "it said nothing; `mlxr up` shows what is in the way"
