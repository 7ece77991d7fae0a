"""The profile: owns what a person has set up for the web application. A shell around its file and its changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import msgspec
from anyio import to_thread

from mlxr.actors.profile.changes import changed, server_of, without_secrets
from mlxr.actors.profile.settings import ProfileSettings
from mlxr.actors.profile.store import ProfileStore
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.frontend import ProfileReply
from mlxr.runtime.messages.profile import (
    DeleteMcpServer,
    ProfileCommand,
    ReadMcpServer,
    ReadProfile,
    SaveMcpServer,
    SetPrivateFetch,
    SetToolMode,
)
from mlxr.runtime.paths import Home

FRONTEND = Address.of("frontend")


class ProfileActor(Actor):
    kind = "profile"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        settings: ProfileSettings = decode_settings(context, ProfileSettings)
        self._store = ProfileStore(Home(Path(settings.home)).profile)
        self._turns = anyio.Lock()

    @on(ReadProfile)
    def read_profile(self, message: ReadProfile) -> None:
        self.spawn(self._answer, message, lambda: msgspec.json.encode(without_secrets(self._store.read())))

    @on(ReadMcpServer)
    def read_mcp_server(self, message: ReadMcpServer) -> None:
        self.spawn(self._answer, message, lambda: msgspec.json.encode(server_of(self._store.read(), message.name)))

    @on(SaveMcpServer)
    def save_mcp_server(self, message: SaveMcpServer) -> None:
        self._change(message)

    @on(DeleteMcpServer)
    def delete_mcp_server(self, message: DeleteMcpServer) -> None:
        self._change(message)

    @on(SetToolMode)
    def set_tool_mode(self, message: SetToolMode) -> None:
        self._change(message)

    @on(SetPrivateFetch)
    def set_private_fetch(self, message: SetPrivateFetch) -> None:
        self._change(message)

    def _change(self, command: ProfileCommand) -> None:
        def work() -> bytes:
            return msgspec.json.encode(without_secrets(self._store.change(partial(changed, command=command))))

        self.spawn(self._answer, command, work)

    async def _answer(self, command: ProfileCommand, work: Callable[[], bytes]) -> None:
        """Answers ``command`` by what ``work``, on a thread, returns or refuses. Commands have their turns in order."""
        async with self._turns:
            try:
                reply = ProfileReply(command.request, await to_thread.run_sync(work))
            except RequestError as error:
                reply = ProfileReply(command.request, error=error.info)
        self.tell(FRONTEND, reply)
