"""A frontend with everything behind it scripted: real ZeroMQ, a real aiohttp server on a loopback port, and peers that
answer as the test tells them. What people set up is kept by the real profile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import anyio
import msgspec
import numpy as np

from mlxr.actors.frontend.actor import FrontendActor
from mlxr.actors.frontend.settings import FrontendSettings
from mlxr.actors.profile.actor import ProfileActor
from mlxr.actors.profile.settings import ProfileSettings
from mlxr.api.transport import TransportSpec
from mlxr.http.listeners.server import HttpServer
from mlxr.http.settings import ServerSettings
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.config_sources import Setting
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.catalogue import EngineInfo, HeldMemory, ModelEntry
from mlxr.runtime.messages.common import FinishReason, Message, Usage
from mlxr.runtime.messages.frontend import (
    Catalog,
    Delta,
    Deltas,
    Embedding,
    Finished,
    RegistryReply,
    Started,
    Tokenized,
    ToolCallDelta,
)
from mlxr.runtime.messages.registry import LoadModel, MeasureEngines, SendCatalog
from mlxr.runtime.messages.tokenizer import Detokenize, Embed, Generate, PromptPart, TextPrompt, Tokenize
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.telemetry import Telemetry
from mlxr.server.actors import HTTP

FRONTEND, PROFILE = Address("frontend"), Address("profile")
ENTRY = ModelEntry(
    name="tiny",
    digest="a" * 64,
    size=1234,
    modified=1_700_000_000.0,
    path="/models/tiny.gguf",
    info=ModelInfo(
        format="gguf",
        architecture="llama",
        parameters=135_000_000,
        quantization="Q4_1",
        context_length=2048,
        embedding_length=576,
        capabilities=["completion", "tools", "thinking", "insert", "embedding"],
        template="{{ messages }}",
    ),
    aliases=["org/tiny-alias"],
)


def able(*capabilities: str) -> ModelEntry:
    """``ENTRY`` of a model that can do no more than that."""
    info = msgspec.structs.replace(ENTRY.info, capabilities=list(capabilities))
    return msgspec.structs.replace(ENTRY, info=info)


EMBEDDER = able("embedding")
THOUGHTLESS = able("completion")
ENGINE = EngineInfo("tiny-1", "tiny", "ready", 1.0, context_length=2048, memory_bytes=99, backend="cpu")
USAGE = Usage(prompt_tokens=5, completion_tokens=3, cached_tokens=2, prefill_seconds=0.01, decode_seconds=0.02)

M = TypeVar("M", bound=Message)
Script = Callable[[Any], Iterable[Message]]


def words(command: Generate, *texts: str, finish: FinishReason = FinishReason.STOP) -> list[Message]:
    """An answer of one token for each of ``texts``, the same in every choice."""
    number = command.request
    answer: list[Message] = [Started(number, 5)]
    for text in texts:
        answer.append(Deltas([Delta(number, index, text, tokens=1) for index in range(command.n)]))
    answer.append(Deltas([Delta(number, index, finish=finish) for index in range(command.n)]))
    return [*answer, Finished(number, USAGE, [1, 2, 3])]


def hello(command: Generate) -> list[Message]:
    return words(command, "Hel", "lo", " wörld")


class Rig:
    """What a test holds. ``tokenizer`` and ``registry`` are scripts: what to answer to each message. ``held``: what
    engines are said to hold."""

    def __init__(self, bus: Bus, actor: FrontendActor) -> None:
        self.actor = actor
        self.bus = bus
        self.heard: list[tuple[Address, Message]] = []
        self.on_generate: Script = hello
        self.on_other: Script = lambda message: ()
        self.on_part: Callable[[PromptPart], object] = lambda part: None
        self.on_registry: Script = lambda message: ()
        self.held: list[HeldMemory] = []

    @property
    def url(self) -> str:
        return self.actor.addresses[0]

    @property
    def server(self) -> HttpServer:
        server = self.actor.transports[0]
        assert isinstance(server, HttpServer)
        return server

    def tell(self, *messages: Message) -> None:
        """Send to the frontend."""
        for message in messages:
            self.bus.tell(FRONTEND, message)

    def got(self, kind: type[M]) -> list[M]:
        """The messages of one kind that the frontend has sent so far."""
        return [message for _, message in self.heard if isinstance(message, kind)]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until ``condition`` holds; the test fails if it never does."""
        with anyio.fail_after(5):
            while not condition():  # noqa: ASYNC110  (conditions are on plain state)
                await anyio.sleep(0.005)

    def hear(self, address: Address, message: Message) -> None:
        self.heard.append((address, message))
        if isinstance(message, Generate):
            self.tell(*self.on_generate(message))
        elif isinstance(message, PromptPart):
            self.on_part(message)
        elif isinstance(message, Embed | Tokenize | Detokenize):
            self.tell(*self.on_other(message))
        elif isinstance(message, MeasureEngines):
            body = msgspec.json.encode(self.held)
            self.tell(RegistryReply(message.request or 0, "success", last=True, body=body))
        elif address.kind == "registry" and not isinstance(message, SendCatalog):
            self.tell(*self.on_registry(message))


@asynccontextmanager
async def rig(
    directory: Path,
    catalog: Catalog | None = None,
    telemetry: Telemetry | None = None,
    epoch: int = 0,
    *,
    told: bool = True,
    transports: Sequence[TransportSpec] = (),
    configuration: Sequence[Setting] = (),
    **settings: Any,
) -> AsyncIterator[Rig]:
    """A running frontend on a free port. ``settings`` override those of the server. Not ``told``: the registry has not
    sent its catalogue yet. ``transports``: beside HTTP. ``configuration``: what people are shown of the server's."""
    if catalog is None:
        catalog = Catalog([ENTRY], [ENGINE])
    bus = Bus(directory, lambda address: True)
    inbox = bus.inbox(FRONTEND, INBOXES["frontend"])
    server = ServerSettings(**{"port": 0, **settings})
    http = TransportSpec(HTTP, msgspec.json.encode(server).decode())
    given = FrontendSettings(
        str(directory / "home"),
        [http, *transports],
        server.drain_seconds,
        server.unread_deltas,
        configuration=list(configuration),
    )
    encoded = msgspec.json.encode(given)
    (directory / "home").mkdir(exist_ok=True)
    own = msgspec.json.encode(ProfileSettings(given.home))
    profile = ProfileActor(Context(PROFILE, bus, telemetry or Telemetry(), directory, own))
    kept = bus.inbox(PROFILE, INBOXES["profile"])
    actor = FrontendActor(Context(FRONTEND, bus, telemetry or Telemetry(), directory, encoded, epoch))
    made = Rig(bus, actor)
    addresses = [Address("registry"), Address("supervisor"), Address.of("tokenizer", ENGINE.engine)]
    inboxes = {address: bus.inbox(address, INBOXES[address.kind]) for address in addresses}
    try:
        async with anyio.create_task_group() as tasks:
            for address, peer in inboxes.items():
                tasks.start_soon(peer.consume, lambda message, address=address: made.hear(address, message))
            tasks.start_soon(actor.run, inbox)
            tasks.start_soon(profile.run, kept)
            await made.until(lambda: made.got(SendCatalog))
            if told:
                made.tell(catalog)
            if told and catalog.models:
                await made.until(actor.gateway.models)
            yield made
            tasks.cancel_scope.cancel()
    finally:
        for peer in (inbox, kept, *inboxes.values()):
            peer.close()
        bus.close()


def loads(message: Message) -> list[Message]:
    """A registry's script: every model loads at once."""
    if isinstance(message, LoadModel):
        return [Catalog([ENTRY], [ENGINE]), RegistryReply(message.request, last=True)]
    return []


def thinking_and_calling(command: Generate) -> list[Message]:
    """An answer that thinks, speaks, and calls two tools, in pieces."""
    number = command.request
    pieces = [
        Delta(number, reasoning="hm"),
        Delta(number, reasoning="m"),
        Delta(number, text="I'll "),
        Delta(number, text="look"),
        Delta(number, tool_calls=[ToolCallDelta(0, "call_a", "f", "")]),
        Delta(number, tool_calls=[ToolCallDelta(0, arguments='{"x":')]),
        Delta(number, tool_calls=[ToolCallDelta(0, arguments=" 1}"), ToolCallDelta(1, "call_b", "g", "{}")]),
        Delta(number, finish=FinishReason.TOOL_CALLS),
    ]
    return [Started(number, 5), *(Deltas([piece]) for piece in pieces), Finished(number, USAGE)]


def embedded(message: Message) -> list[Message]:
    """A tokenizer's script: embeds a text as its length and its first characters; numbers tokens by letters."""
    if isinstance(message, Embed):
        prompt = message.prompt
        values = [len(prompt.text), *map(ord, prompt.text[:2])] if isinstance(prompt, TextPrompt) else prompt.tokens
        vector = np.asarray([*values, 0, 0, 0][:3], dtype="<f4")
        if message.normalize:
            vector /= np.linalg.norm(vector) or 1
        return [Embedding(message.request, vector.tobytes(), Usage(prompt_tokens=2))]
    if isinstance(message, Detokenize):
        tokens = message.prompt.tokens
        return [Tokenized(message.request, tokens, "".join(map(chr, tokens)))]
    assert isinstance(message, Tokenize)
    prompt = message.prompt
    text = prompt.text if isinstance(prompt, TextPrompt) else "".join(turn.content for turn in prompt.messages)
    return [Tokenized(message.request, [ord(c) for c in text], text, [c.encode() for c in text], len(text))]


async def ask(r: Rig, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
    """Status, body (decoded, if it is JSON) and headers of one request's answer."""
    async with aiohttp.ClientSession() as session, session.request(method, r.url + path, **options) as response:
        text = await response.text()
        body = await response.json() if response.content_type == "application/json" and text else text
        return response.status, body, response.headers
