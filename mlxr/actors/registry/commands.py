"""Commands in progress: each ends in one last reply, unless nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

from mlxr.actors.registry.client_errors import error_info
from mlxr.actors.registry.progress import Progress, Report
from mlxr.runtime.messages.frontend import RegistryReply

Operation = Callable[[], Awaitable[bytes]]
"""Does the work of a command; returns the JSON body of its last reply."""

NOTHING = b"null"


class Commands:
    """``spawn`` starts a task; ``reply`` sends to the frontend, which hears of no path under ``home``. Command number 0
    wants no reply."""

    def __init__(self, spawn: Callable[..., Any], reply: Callable[[RegistryReply], None], home: Path) -> None:
        self._home = home
        self._spawn = spawn
        self._send = reply
        self._scopes: dict[int, anyio.CancelScope] = {}

    def begin(self, request: int, operation: Operation) -> None:
        scope = anyio.CancelScope()
        if request:
            # Now, and not in the task: a cancel may come before that has begun.
            self._scopes[request] = scope
        self._spawn(self._run, request, scope, operation)

    def cancel(self, request: int) -> None:
        if scope := self._scopes.get(request):
            scope.cancel()

    def reporter(self, request: int) -> Report:
        """Passes progress on to whoever waits for command ``request``."""

        def report(progress: Progress) -> None:
            self._reply(RegistryReply(request, progress.status, progress.digest, progress.total, progress.completed))

        return report

    async def _run(self, request: int, scope: anyio.CancelScope, operation: Operation) -> None:
        with scope:
            try:
                self._reply(RegistryReply(request, "success", last=True, body=await operation()))
            except Exception as error:
                self._reply(RegistryReply(request, last=True, error=error_info(error, self._home)))
        self._scopes.pop(request, None)

    def _reply(self, reply: RegistryReply) -> None:
        if reply.request:
            self._send(reply)
