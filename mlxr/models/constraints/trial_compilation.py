"""Whether a constraint can be enforced, and at what cost: to be found out where it does no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from mlxr.models.constraints.errors import ConstraintError, clean
from mlxr.models.constraints.grammars import compile_grammar
from mlxr.models.constraints.limits import check_size
from mlxr.models.constraints.matcher import Matcher, Vocabulary
from mlxr.runtime.messages.common import Constraint, ConstraintKind

T = TypeVar("T")

STACK_BYTES = 64 << 20
"""llguidance recurses along nesting and references, 8 KB a level at most; what is within the limits takes 20 MB."""

TRIAL_TOKENS = 3
"""Tokens of a trial: a lexer shows what it costs within its first few states."""

OPENING_TOKENS = 16
"""Tokens of a trial that goes where most may follow: through what opens, or separates, in JSON and its like."""

OPENING_MASKS = 4
"""Masks that are made where nothing opens."""

OPENERS = (b"{", b"[", b",", b":", b'"', b"(")


def trial_compile(constraint: Constraint, vocabulary: Vocabulary | None = None) -> str | None:
    """Why ``constraint`` can't be enforced, or None if it can. With a ``vocabulary`` it is tried: masks are made, too.

    Sizes are looked at first. What is within them may still take seconds and gigabytes: what strangers wrote belongs in
    a process whose time and memory are limited. The native part runs on a thread with a stack that is large enough.
    """
    try:
        check_size(constraint)
        return on_large_stack(lambda: _compile(constraint, vocabulary))
    except ConstraintError as error:
        return clean(str(error))


def on_large_stack(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises, on a thread of its own."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    before = threading.stack_size(STACK_BYTES)
    try:
        thread = threading.Thread(target=run, name="constraint")
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    if errors:
        if isinstance(errors[0], Exception):
            raise errors[0]
        raise ConstraintError(f"it can't be compiled ({type(errors[0]).__name__})") from errors[0]
    return results[0]


def _compile(constraint: Constraint, vocabulary: Vocabulary | None) -> str | None:
    if vocabulary is not None:
        return _trial_run(Matcher(vocabulary, constraint), vocabulary)
    if constraint.kind is ConstraintKind.FREE:
        return None
    from llguidance import LLMatcher

    failed, messages = LLMatcher.validate_grammar_with_warnings(compile_grammar(constraint))
    return clean(str(messages[0])) if failed else None


def _trial_run(matcher: Matcher, vocabulary: Vocabulary) -> str | None:
    """A few tokens of two outputs: each from the middle of those allowed, or each that opens something."""
    opening = matcher.copy()
    matcher.skip_section()
    opening.skip_section()
    for _ in range(TRIAL_TOKENS):
        if not _take_middle(matcher, vocabulary):
            break
    masks, openers = OPENING_MASKS, vocabulary.openers(OPENERS)
    for _ in range(OPENING_TOKENS):
        # Whether one token is allowed costs a hundredth of a mask.
        token = next(filter(opening.allows, openers), None)
        if token is None:
            masks -= 1
        if not (opening.consume(token) if token is not None else masks >= 0 and _take_middle(opening, vocabulary)):
            break
    return matcher.error or opening.error or None


def _take_middle(matcher: Matcher, vocabulary: Vocabulary) -> bool:
    """Take the token in the middle of those allowed; False where there is none, or it is an end, or the mask fails."""
    mask = np.zeros(vocabulary.mask_words, np.int32)
    matcher.mask_into(mask)
    ids = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little"))
    at = len(ids) // 2
    if matcher.error or not len(ids):
        return False
    token = int(ids[at]) if int(ids[at]) not in vocabulary.ends else int(ids[max(at - 1, 0)])
    return token not in vocabulary.ends and matcher.consume(token)
