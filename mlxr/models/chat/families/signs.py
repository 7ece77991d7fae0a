"""What tells how a template's models write: its text, and what else is known of it."""

from __future__ import annotations

from msgspec import Struct


class TemplateSigns(Struct, frozen=True):
    """What is known of how a model writes.

    Attributes:
        source: the template; families are told by what it contains.
        family: the name of the family, where somebody said it (a Modelfile's ``PARSER``); empty where the template
            tells it.
        calls: what the template writes before a call, where its own structure shows that; ``{`` or ``[`` for JSON
            without a marker, empty where nothing shows it.
        reasoning: what the template writes before and behind reasoning, likewise.
    """

    source: str = ""
    family: str = ""
    calls: str = ""
    reasoning: tuple[str, str] = ("", "")


NO_SIGNS = TemplateSigns()
"""Of a model without a template."""

Signs = str | TemplateSigns
"""A template's text alone tells the family, too."""


def signs_of(given: Signs) -> TemplateSigns:
    return TemplateSigns(given) if isinstance(given, str) else given
