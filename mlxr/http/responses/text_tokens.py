"""Which tokens of an answer a piece of its text is made of: others spell marks, or reasoning and calls beside it."""

from __future__ import annotations

from collections.abc import Sequence

from mlxr.runtime.messages.common import TextLogprob


def split_by_text(
    tokens: Sequence[TextLogprob], text: str, *, begins: bool, calls: bool
) -> tuple[list[TextLogprob], list[TextLogprob]]:
    """Returns those of ``tokens`` that ``text`` is made of, and those behind it; what stands before it is in neither.

    All are its own where the text is not found in them, as where a part of a character became a replacement.
    ``begins``: a block begins with the text, so that marks may stand before it. ``calls``: calls follow it.
    """
    raw, wanted = b"".join(token.raw for token in tokens), text.encode()
    at = raw.rfind(wanted) if begins and not calls else raw.find(wanted)
    if at < 0:
        return list(tokens), []
    own: list[TextLogprob] = []
    behind: list[TextLogprob] = []
    end = 0
    for token in tokens:
        begin, end = end, end + len(token.raw)
        if begin >= at + len(wanted):
            behind.append(token)
        elif end > at:
            own.append(token)
    return own, behind
