"""Whether a constraint can be enforced, and at what cost: to be found out where it does no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mlxr.models.constraints.errors import ConstraintError, readable
from mlxr.models.constraints.grammars import compile_grammar
from mlxr.models.constraints.limits import check_size
from mlxr.models.constraints.matcher import Matcher
from mlxr.models.constraints.vocabulary import Vocabulary
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
    """Returns why ``constraint`` can't be enforced, or None if it can. With a ``vocabulary`` it is tried: masks are
    made, too.

    Sizes are looked at first. What is within them may still take seconds and gigabytes: what strangers wrote belongs in
    a process whose time and memory are limited. The native part runs on a thread with a stack that is large enough.
    """
    try:
        check_size(constraint)
        return on_large_stack(lambda: _compile(constraint, vocabulary))
    except ConstraintError as error:
        return str(error)


def on_large_stack(work: Callable[[], T]) -> T:
    """Returns what ``work`` returns or raises, on a thread of its own."""
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
        raise ConstraintError("it can't be compiled") from errors[0]
    return results[0]


def _compile(constraint: Constraint, vocabulary: Vocabulary | None) -> str | None:
    if vocabulary is not None:
        return _trial_run(Matcher(vocabulary, constraint), vocabulary)
    if constraint.kind is ConstraintKind.FREE:
        return None
    from llguidance import LLMatcher

    failed, messages = LLMatcher.validate_grammar_with_warnings(compile_grammar(constraint))
    return readable(str(messages[0])) if failed else None


def _trial_run(matcher: Matcher, vocabulary: Vocabulary) -> str | None:
    """Takes a few tokens of two outputs: each from the middle of those allowed, or each that opens something."""
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
    """Takes the token in the middle of those allowed; False where there is none, or it is an end, or the mask fails."""
    mask = np.zeros(vocabulary.mask_words, np.int32)
    matcher.mask_into(mask)
    # By the bits of each byte: a list of all that are set would take most of a trial's time.
    counts = np.cumsum(np.bitwise_count(mask.view(np.uint8)), dtype=np.int64)
    allowed = int(counts[-1])
    if matcher.error or not allowed:
        return False
    token = _nth(mask, counts, allowed // 2)
    if token in vocabulary.ends:
        token = _nth(mask, counts, max(allowed // 2 - 1, 0))
    return token not in vocabulary.ends and matcher.consume(token)


def _nth(mask: npt.NDArray[np.int32], counts: npt.NDArray[np.int64], n: int) -> int:
    """Bit number ``n`` (from 0) of those set in ``mask``, of which ``counts`` are set up to the end of each byte."""
    byte = int(np.searchsorted(counts, n, side="right"))
    bits = np.flatnonzero(np.unpackbits(mask.view(np.uint8)[byte : byte + 1], bitorder="little"))
    before = int(counts[byte - 1]) if byte else 0
    return 8 * byte + int(bits[n - before])
