"""A transport that is no HTTP, made of ``mlxr.api`` alone: a client's line is a prompt for a model, and the answer is a
line. What gRPC or a socket of another kind would need is all here."""

from __future__ import annotations

import asyncio

from mlxr.api.aggregate import aggregate
from mlxr.api.caller import CALLER, Caller
from mlxr.api.default_model import default_model
from mlxr.api.gateway import Blobs, Gateway
from mlxr.api.metrics import Metrics
from mlxr.api.parameters import stop_strings
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.tokenizer import Generate, TextPrompt


class LineTransport:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._server: asyncio.Server | None = None
        self.addresses: list[str] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.addresses = [f"line://{host}:{port}"]

    async def close_listeners(self) -> None:
        assert self._server is not None
        self._server.close()

    async def stop(self) -> None:
        await self.close_listeners()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        CALLER.set(Caller("a client", remote=False))
        while line := await reader.readline():
            writer.write(await self._answer(line.decode().strip()) + b"\n")
            await writer.drain()
        writer.close()

    async def _answer(self, prompt: str) -> bytes:
        try:
            await self._gateway.catalog_ready()
            model = default_model(self._gateway)
            command = Generate(0, TextPrompt(prompt), stop_strings=stop_strings(["\n"], 1))
            async with self._gateway.generate(model, command, surface="line") as stream:
                (choice,) = aggregate(await stream.rest(), 1)
                return choice.text.encode()
        except RequestError as error:
            return f"error {error.info.code}: {error.info.message}".encode()


def make(settings: str, gateway: Gateway, metrics: Metrics, blobs: Blobs) -> LineTransport:
    return LineTransport(gateway)
