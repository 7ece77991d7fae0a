"""Where a draft comes from, and how much of it is likely to be right because of that."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class DraftKind(StrEnum):
    """What made a draft.

    Attributes:
        LOOKUP: the sequence's own text.
        SHARED: the text of other requests of its client.
        PREDICTION: the text that its client foretold.
        GRAMMAR: its constraint, which leaves no choice.
        DRAFT_MODEL: a draft model, which the executor has beside the model.
        MTP: heads of the model itself that predict further tokens.
    """

    LOOKUP = "lookup"
    SHARED = "shared"
    PREDICTION = "prediction"
    GRAMMAR = "grammar"
    DRAFT_MODEL = "draft_model"
    MTP = "mtp"


class Origin(Struct, frozen=True):
    """Where a draft comes from.

    Attributes:
        kind: what made it.
        length: how many tokens before it were as they were where it was found; 0 where it was not looked up.
    """

    kind: DraftKind
    length: int = 0


class Part(NamedTuple):
    """Some ``tokens`` of a draft, and where the first of them comes from."""

    origin: Origin
    tokens: int
