"""Commands in progress: each ends in one last reply, unless nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

from mlxr.actors.registry.client_errors import error_info
from mlxr.actors.registry.progress import Progress, Report, ignore
from mlxr.runtime.messages.frontend import RegistryReply

Operation = Callable[[], Awaitable[bytes]]
"""Does the work of a command; returns the JSON body of its last reply."""

NOTHING = b"null"


class Commands:
    """Runs them, each beside the others, and keeps what it takes to cancel them.

    spawn: starts a task.
    reply: sends to the frontend, which hears of no path under ``home``.
    """

    def __init__(self, spawn: Callable[..., Any], reply: Callable[[RegistryReply], None], home: Path) -> None:
        self._home = home
        self._spawn = spawn
        self._send = reply
        self._scopes: dict[int, anyio.CancelScope] = {}

    @property
    def working(self) -> bool:
        """Whether any is in progress that somebody waits for."""
        return bool(self._scopes)

    def begin(self, request: int | None, operation: Operation) -> None:
        """Runs ``operation``, with replies that carry ``request``; None for a command without replies."""
        scope = anyio.CancelScope()
        if request is not None:
            # Now, and not in the task: a cancel may come before that has begun.
            self._scopes[request] = scope
        self._spawn(self._run, request, scope, operation)

    def cancel(self, request: int) -> None:
        if scope := self._scopes.get(request):
            scope.cancel()

    def reporter(self, request: int | None) -> Report:
        """Passes progress on to whoever waits for command ``request``."""
        if request is None:
            return ignore
        number = request

        def report(progress: Progress) -> None:
            self._send(
                RegistryReply(
                    number, progress.status, progress.digest or None, progress.total or None, progress.completed
                )
            )

        return report

    async def _run(self, request: int | None, scope: anyio.CancelScope, operation: Operation) -> None:
        body, error = NOTHING, None
        with scope:
            try:
                body = await operation()
            except Exception as raised:
                error = error_info(raised, self._home)
            if request is not None:
                self._send(RegistryReply(request, "" if error else "success", last=True, body=body, error=error))
        if request is not None:
            del self._scopes[request]
