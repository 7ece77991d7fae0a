"""What a model's output consists of, in the order it comes."""

from __future__ import annotations

from msgspec import Struct


class Content(Struct, frozen=True):
    """Text for the user."""

    text: str


class Reasoning(Struct, frozen=True):
    """Text of a reasoning section."""

    text: str


class CallStart(Struct, frozen=True):
    """Tool call number ``index`` (from 0) begins."""

    index: int
    name: str


class CallArguments(Struct, frozen=True):
    """A piece of call ``index``'s arguments. The pieces of a complete call join to the text of a JSON object."""

    index: int
    text: str


Event = Content | Reasoning | CallStart | CallArguments


def append(events: list[Event], event: Event) -> None:
    """Adds ``event``, joined to the last one where both are pieces of the same thing."""
    last = events[-1] if events else None
    match last, event:
        case (Content(text), Content(more)):
            events[-1] = Content(text + more)
        case (Reasoning(text), Reasoning(more)):
            events[-1] = Reasoning(text + more)
        case (CallArguments(index, text), CallArguments(same, more)) if index == same:
            events[-1] = CallArguments(index, text + more)
        case _:
            events.append(event)
