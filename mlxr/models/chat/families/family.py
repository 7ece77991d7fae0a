"""What a chat family is: everything about how its models talk, reason and call tools, in one value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from mlxr.models.chat.call_forms.call_format import CallFormat
from mlxr.models.chat.tool_prompt import PastCall, call_text
from mlxr.models.lark import LarkTerms
from mlxr.models.output.argument_types import ArgumentTypes
from mlxr.models.output.incremental_reader import Parse
from mlxr.models.output.syntax import OutputSyntax

CallReader = Callable[[Collection[str], ArgumentTypes], OutputSyntax]
"""From the names of the tools and the types of their arguments to how calls of them are read."""
Section = tuple[str, str]
"""The markers before and behind reasoning."""

THINK: Section = ("<think>", "</think>")


@dataclass(frozen=True, slots=True)
class Fallback:
    """A template for models whose file has none.

    Attributes:
        marker: the token of the vocabulary that tells the family.
        template: Jinja, as the family's first models published their turns.
        rank: of several markers in one vocabulary, the one of the least rank counts.
    """

    marker: str
    template: str
    rank: int


@dataclass(frozen=True, slots=True)
class Channels:
    """For families whose every message has a header that names its channel.

    Attributes:
        read: reads one answer; ``tools`` and ``split_reasoning`` as in ``choose_parser``.
        markers: names of control tokens that ``read`` reads.
        reasoning: the header of a reasoning message and what ends it.
        reasoning_sign: what in a template shows that its models reason.
        final: the header of the answer proper.
        analysis: from grammar terms and a budget to a term for what may be reasoned before a call, and its rules.
        final_term: from grammar terms to a term for ``final``.
    """

    read: Callable[..., Parse[None]]
    markers: Sequence[str]
    reasoning: Section
    reasoning_sign: str
    final: str
    analysis: Callable[[LarkTerms, int | None], tuple[str, list[str]]]
    final_term: Callable[[LarkTerms], str]


def _reads_nothing(names: Collection[str], types: ArgumentTypes) -> OutputSyntax:
    return OutputSyntax()


@dataclass(frozen=True, slots=True)
class Family:
    """How a family's models are recognised, and how they write.

    Attributes:
        name: for people and tests.
        signs: what a template of the family contains: all strings of at least one of these tuples.
        formats: how calls are written, as (strings that the template must all contain, format); the first that fits.
            The last one's strings are empty, so that whoever reads calls also writes them.
        calls: how calls are read; must understand all of ``formats``.
        reasoning: sections that the family's models reason in.
        channels: for families whose messages have headers, read instead of ``calls`` and ``reasoning``.
        fallbacks: templates for models that lost theirs, told by the vocabulary.
        trained: names of models, as their templates have them, that call tools although the template mentions none.
        past_call: writes a past call into an assistant's text, where the template has no form for it.
    """

    name: str
    signs: tuple[tuple[str, ...], ...]
    formats: tuple[tuple[tuple[str, ...], CallFormat], ...]
    calls: CallReader = _reads_nothing
    reasoning: tuple[Section, ...] = ()
    channels: Channels | None = None
    fallbacks: tuple[Fallback, ...] = ()
    trained: tuple[str, ...] = ()
    past_call: PastCall = call_text

    def recognises(self, source: str) -> bool:
        """Tells whether the template ``source`` is of this family, as far as its signs say."""
        return any(all(sign in source for sign in signs) for signs in self.signs)

    def call_format(self, source: str) -> CallFormat:
        """Returns how the models of the template ``source`` write calls."""
        return next(form for signs, form in self.formats if all(sign in source for sign in signs))
