"""The table of operations: what each is called, and what it takes."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from mlxr.api.caller import Caller
from mlxr.runtime.messages.chats import AskChats

Operation = Callable[..., Awaitable[Any]]


class OperationTable:
    """Finds an operation, and gives it what its signature names: ``path``, ``body`` (decoded as its type says, or
    bytes) and ``caller``."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = dict(operations)
        self._signatures = {name: inspect.signature(made, eval_str=True) for name, made in operations.items()}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._operations)

    async def run(self, asked: AskChats) -> bytes:
        """Returns what the operation gives, as JSON; bytes as they are. Raises ``RequestError``."""
        parameters = self._signatures[asked.operation].parameters
        arguments: dict[str, Any] = {"path": asked.path}
        if "body" in parameters:
            kind = parameters["body"].annotation
            raw = bytes(asked.body)
            arguments["body"] = raw if kind is bytes else msgspec.json.decode(raw, type=kind)
        if "caller" in parameters:
            arguments["caller"] = Caller(asked.client, asked.remote)
        made = await self._operations[asked.operation](**arguments)
        return made if isinstance(made, bytes) else msgspec.json.encode(made)
