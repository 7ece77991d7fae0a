"""What models write, taken apart: reasoning, tool calls and text, by the format of each family."""

from mlxr.models.output.events import CallArguments, CallStart, Content, Event, Reasoning
from mlxr.models.output.parser import OutputParser, shown_tokens

__all__ = [
    "CallArguments",
    "CallStart",
    "Content",
    "Event",
    "OutputParser",
    "Reasoning",
    "shown_tokens",
]
