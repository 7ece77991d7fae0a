"""What the chats are told: a section of the configuration, and where they are kept."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from mlxr.runtime.config import NotNegative, Positive, Section, about
from mlxr.runtime.durations import Duration


class ChatsSection(Section, frozen=True):
    """``[chats]``."""

    undo_seconds: Annotated[
        Annotated[Duration, Meta(ge=0)], about("how long a deleted chat can be brought back before it is gone")
    ] = 60.0
    model_titles: Annotated[bool, about("have the model name a chat after its first answer")] = False
    title_tokens: Annotated[Positive, about("tokens that such a name may take")] = 24
    max_attachment_bytes: Annotated[NotNegative, about("of one attachment; 0 takes none")] = 20 << 20


class ChatsSettings(Struct, frozen=True):
    """As the supervisor hands them over.

    home: MLXR_HOME.
    section: of the configuration.
    resume: unfinished answers go on at the start; in a server that a command started for itself, once somebody asks.
    """

    home: str
    section: ChatsSection = ChatsSection()
    resume: bool = True
