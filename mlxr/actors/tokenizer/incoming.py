"""A command with a prompt, as it came in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from msgspec import Raw

from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.tokenizer import Asked, PromptPart

A = TypeVar("A", bound=Asked, covariant=True)
B = TypeVar("B", bound=Asked)

SHORT_ARRAY = 16
"""Elements from which on MessagePack's arrays have a header of three bytes."""


@dataclass(frozen=True, slots=True)
class Incoming(Generic[A]):
    """A command, and the bytes that it came in: these go on to the sandbox, so that nobody encodes a prompt again.

    Attributes:
        command: the command.
        raw: its bytes.
        parts: the bytes of each ``PromptPart`` that came before it.
    """

    command: A
    raw: Raw
    parts: Sequence[Raw] = ()

    @staticmethod
    def of(command: B, *parts: PromptPart) -> Incoming[B]:
        """Encodes a command that came in no message."""
        return Incoming(command, _encoded(command), [_encoded(part) for part in parts])

    def content(self) -> bytes:
        """Returns a digest of all that it says, the same for whichever request says it."""
        request = self.command.request
        digest = hashlib.sha256(_behind_request(self.raw, type(self.command), request))
        for part in self.parts:
            digest.update(_behind_request(part, PromptPart, request))
        return digest.digest()


def _encoded(message: Message) -> Raw:
    return Raw(msgspec.msgpack.encode(message))


def _behind_request(raw: Raw, kind: type[Message], request: int) -> memoryview:
    """Returns the fields of a message of ``kind`` that come after its tag and the number of its request."""
    header = 1 if len(kind.__struct_fields__) + 1 < SHORT_ARRAY else 3
    return memoryview(raw)[header + len(msgspec.msgpack.encode((kind.__name__, request))) - 1 :]
