"""Grammars for answers in which a model may call tools or not: where it does, the call is held to its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlxr.models.chat.families import Signs, family_of, signs_of
from mlxr.models.constraints.errors import ConstraintError
from mlxr.models.constraints.grammars import answer_rule
from mlxr.models.constraints.reasoning import ReasoningMode
from mlxr.models.constraints.tool_calls import behind_reasoning, call_rules, compiled_tools
from mlxr.models.constraints.trial_compilation import trial_compile
from mlxr.models.json_schema import Schema
from mlxr.models.lark import LarkTerms
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint, ConstraintKind
from mlxr.runtime.messages.tokenizer import Tool

ANY_TEXT = Constraint(ConstraintKind.REGEX, r"(.|\n)*")
NO_OBJECT = Constraint(ConstraintKind.REGEX, r"[^{](.|\n)*")
"""Text of families whose calls have no marker: what begins as an object is a call."""


def offer_tools(
    source: Signs,
    tools: Sequence[Tool],
    tokenizer: Tokenizer,
    answer: Constraint | None = None,
    *,
    parallel: bool = True,
    mode: ReasoningMode = ReasoningMode.OFF,
    budget: int | None = None,
) -> Constraint:
    """Returns the constraint where tools may be called: calls fit their schemas, and what is no call is ``answer``, or
    any text that may go before calls, too.

    ``source``: the chat template, which tells the family. ``budget``: as in ``after_reasoning``. Raises
    ``ConstraintError`` for a schema that is no object, and for an answer whose grammar nothing can be put beside.
    """
    if answer is not None and (reason := trial_compile(answer)):
        raise ConstraintError(reason)
    lark, family = LarkTerms(tokenizer), family_of(source)
    form = family.call_format(signs_of(source).source)

    def make(schemas: Mapping[str, Schema]) -> Constraint:
        again = parallel and form.between is not None
        rules = call_rules(form, lark, "call", schemas) if again else []
        more = f"({lark.terms(*form.between or ())} call)*" if again else ""

        def calls(written: LarkTerms) -> str:
            rules.extend(call_rules(form, written, "first", schemas))
            return _joined(written.terms(*form.before), "first", more, lark.terms(*form.after))

        if family.channels is not None:
            before, thoughts = family.channels.analysis(lark, budget)
            start = f"{before} ({calls(lark)} | {family.channels.final_term(lark)} answer)"
            rules += [*thoughts, answer_rule(answer or ANY_TEXT)]
        elif answer is None and form.sign:
            text, text_rules = lark.up_to("text", form.sign)
            start = f"{text} {calls(LarkTerms(tokenizer, without=form.sign))} | answer"
            rules += [text_rules, answer_rule(ANY_TEXT)]
        else:
            start = f"{calls(lark)} | answer"
            rules.append(answer_rule(answer or NO_OBJECT))
        return behind_reasoning([f"start: {start}", *rules], source, mode, budget)

    return compiled_tools(tools, make)


def _joined(*terms: str) -> str:
    return " ".join(filter(None, terms))
