"""The map of messages, held against the inboxes and against what the actors' code sends."""

from __future__ import annotations

import ast
import importlib
import typing
from pathlib import Path

import msgspec
import pytest

from mlxr.runtime.messages import INBOXES, ROUTES
from mlxr.runtime.messages.common import Message

PACKAGE = Path(importlib.import_module("mlxr").__file__ or "").parent
SOURCES = {
    **{kind: PACKAGE / "actors" / kind for kind in INBOXES if kind != "supervisor"},
    "supervisor": PACKAGE / "runtime" / "supervisor.py",
}


def accepted(kind: str) -> set[type[Message]]:
    union = INBOXES[kind]
    return set(typing.get_args(union)) or {typing.cast(type[Message], union)}


def constructed(source: Path) -> set[str]:
    """Names of everything called like a class in ``source``."""
    files = source.rglob("*.py") if source.is_dir() else [source]
    calls = (node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


def test_every_route_ends_at_an_inbox_that_accepts_its_message() -> None:
    wrong = [route for route in ROUTES if route.message not in accepted(route.receiver)]
    assert not wrong


def test_every_message_that_an_inbox_accepts_has_a_sender() -> None:
    sent = {(route.receiver, route.message) for route in ROUTES}
    unsent = [(kind, message.__name__) for kind in INBOXES for message in accepted(kind) if (kind, message) not in sent]
    assert not unsent


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_the_map_lists_just_what_an_actor_makes(kind: str) -> None:
    names = constructed(SOURCES[kind])
    if kind == "frontend":
        # Requests are put into words by the HTTP side; the frontend gives them their numbers and sends them.
        names |= constructed(PACKAGE / "http") | constructed(PACKAGE / "api")
    # Telemetry is passed on by the host of an actor, whatever the actor is.
    mapped = {route.message.__name__ for route in ROUTES if route.sender == kind} - {"Published"}
    assert mapped <= names, f"{kind} never makes {sorted(mapped - names)}"


@pytest.mark.parametrize("kind", sorted(INBOXES))
def test_messages_survive_the_wire_by_their_tags(kind: str) -> None:
    tags = [message.__struct_config__.tag for message in accepted(kind)]
    assert len(tags) == len(set(tags))
    msgspec.msgpack.Decoder(INBOXES[kind])


def test_fields_added_later_have_defaults_that_older_senders_leave_out() -> None:
    for message in {route.message for route in ROUTES}:
        fields = msgspec.structs.fields(message)
        required = [field.required for field in fields]
        assert required == sorted(required, reverse=True), message.__name__
