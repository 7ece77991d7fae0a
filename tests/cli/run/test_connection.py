"""How a chat asks for its model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mlxr.cli.client.client import ServerError
from mlxr.cli.run.connection import Connection


class Asked:
    """A server's client that has no model until one is pulled; ``pulls`` are the bodies of those requests."""

    def __init__(self) -> None:
        self.pulls: list[Any] = []

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        if not self.pulls:
            raise ServerError("model not found", 404)
        return {"capabilities": ["completion"]}

    async def lines(self, path: str, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        self.pulls.append(body)
        yield {"status": "success"}


@pytest.mark.parametrize("insecure", [False, True])
async def test_a_model_that_is_not_here_is_pulled_as_it_is_wished(
    insecure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, connection = Asked(), Connection("127.0.0.1:1", insecure)

    async def client() -> Asked:
        return asked

    monkeypatch.setattr(connection, "client", client)
    await connection.obtained("registry:5000/me/mine", lambda progress: None)
    assert asked.pulls == [{"model": "registry:5000/me/mine", "insecure": insecure}]
