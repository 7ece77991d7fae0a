"""Lookup: what followed the last tokens where they stood before is likely to follow them again."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation.client_texts import ClientTexts
from mlxr.actors.scheduler.speculation.origins import DraftKind, Origin, Part
from mlxr.actors.scheduler.speculation.text_index import COUNTED, LONGEST, SHORTEST, Match, TextIndex, hashes_of

WORTHWHILE = 8
"""Tokens that a request must be allowed for its text to be indexed."""

ROOM = 4_096
"""Tokens of output that an index has room for before it grows."""

SEPARATOR = -1
"""Between texts: no token, so that no draft goes beyond."""

NEAR = 8
"""Tokens of a place that was left which the text may come back to, skipping those before."""

LEFT = 6
"""Tokens that a text may say otherwise before such a place is given up."""

WELL_FOLLOWED = 6
"""Tokens that a text must have followed a place for to come back to it."""

COME_BACK = 2
"""Tokens that the first one which is right there again counts as: it may be no more than a comma."""

PREDICTED = 4
"""Tokens that an output is taken to share with what was foretold of it, before it has begun."""


@dataclass(slots=True)
class Followed:
    """A sequence's own text, and the place in some text that it follows at present.

    Attributes:
        offset: tokens in the index before the sequence's first, those of its prediction.
        source: the text of the place; None where there is none.
        checked: length of the text when such a place was last looked for; None before that.
        left: the text that it has left, whose place is ``position`` still, as an edit leaves what it edits.
        since: how many tokens have come since then.
        forced: of its last tokens, whether nothing else could have come; none at all until something was forced.
    """

    own: TextIndex
    offset: int
    source: TextIndex | None = None
    kind: DraftKind = DraftKind.LOOKUP
    position: int = 0
    length: int = 0
    checked: int | None = None
    left: TextIndex | None = None
    since: int = 0
    forced: bytearray = field(default_factory=bytearray)

    def chosen(self, length: int) -> int:
        """Returns how many of its last ``length`` tokens had a choice, at least 1: that others are as they were before
        says nothing of what comes behind them."""
        return max(1, length - sum(self.forced[-length:])) if self.forced and length else length


class LookupDrafter:
    """Drafts from a sequence's own text, its prediction, and (``texts``) what other requests of its client said.

    A place that the text follows is kept while the text goes on as it did there, so that the longest match stays the
    one that counts; a longer one elsewhere takes its place. Where a text leaves a place that it has followed for long,
    as an edit does, the first token that stands near there leads it back.

    Attributes:
        hopeful: the ids of sequences that there may be something to propose for. Of all others there is nothing, as one
            place of a table tells of each token that comes.
    """

    def __init__(self, texts: ClientTexts | None) -> None:
        self.hopeful: set[int] = set()
        self._texts = texts
        self._followed: dict[int, Followed] = {}

    def opened(self, sequence: Sequence) -> None:
        submit = sequence.request.submit
        if submit.max_tokens < WORTHWHILE:
            return
        foretold = submit.prediction.packed
        before = foretold + array("i", [SEPARATOR]).tobytes() if foretold else b""
        room = min(submit.max_tokens, ROOM)
        index = TextIndex(before + sequence.tokens().packed, room)
        self._followed[sequence.id] = followed = Followed(index, len(before) // index.tokens.itemsize)
        self.hopeful.add(sequence.id)
        if foretold and not sequence.generated:
            followed.source, followed.kind, followed.length = index, DraftKind.PREDICTION, PREDICTED

    def accepted(self, sequence: Sequence, tokens: list[int], forced: int = 0) -> None:
        """``forced``: so many of ``tokens``, the first, had no choice."""
        followed = self._followed.get(sequence.id)
        if followed is None:
            return
        if forced or followed.forced:
            followed.forced += bytes([1] * forced + [0] * (len(tokens) - forced))
        hope = False
        for token in tokens:
            hope = _go_on(followed, token)
        if hope or (self._texts is not None and self._texts.have(sequence.client, followed.own)):
            self.hopeful.add(sequence.id)
        else:
            self.hopeful.discard(sequence.id)

    def closed(self, sequence: Sequence) -> None:
        self.hopeful.discard(sequence.id)
        followed = self._followed.pop(sequence.id, None)
        if followed is not None and self._texts is not None:
            request = sequence.request
            leads = sequence is request.sequences[0]
            first = min(request.cached_tokens, sequence.prompt_length) if leads else sequence.prompt_length
            self._texts.add(sequence.client, followed.own.tokens[followed.offset + first :])

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        followed = self._followed.get(sequence.id)
        if followed is None or most <= 0:
            return []
        own = followed.own
        if not own.ready:
            own.index_some()
        if followed.checked != len(own) and followed.length < COUNTED:
            followed.checked = len(own)
            self._search(followed, sequence.client)
        if followed.source is None and own.ready:
            self.hopeful.discard(sequence.id)
        return _continued(followed, most)

    def parts(self, sequence: Sequence, count: int) -> list[Part]:
        """Returns what the ``count`` tokens that were proposed last are made of."""
        followed = self._followed[sequence.id]
        return [Part(Origin(followed.kind, followed.chosen(followed.length)), count)]

    def behind(self, sequence: Sequence, draft: list[int], most: int) -> tuple[list[int], list[Part]]:
        """Returns at most ``most`` tokens that are likely to follow the sequence and ``draft``, which is forced, and
        what they are."""
        followed = self._followed.get(sequence.id)
        if followed is None or most <= 0:
            return [], []
        proposed = _continued(followed, len(draft) + most)
        if len(proposed) > len(draft) and proposed[: len(draft)] == draft:
            rest = proposed[len(draft) :]
            return rest, [Part(Origin(followed.kind, followed.chosen(followed.length)), len(rest))]
        tail = followed.own.tokens[-COUNTED:]
        tail.extend(draft)
        match = followed.own.find(tail, hashes_of(tail))
        if match is None:
            return [], []
        found = Followed(followed.own, followed.offset)
        _follow(found, followed.own, DraftKind.LOOKUP, match)
        rest = _continued(found, most)
        known = followed.chosen(max(1, found.length - len(draft)))
        return rest, [Part(Origin(found.kind, known), len(rest))]

    def _search(self, followed: Followed, client: str | None) -> None:
        """Looks for a place with a longer match than the one that is followed."""
        own = followed.own
        tail = own.tokens[-COUNTED:]
        if len(tail) < SHORTEST:
            return
        hashes = own.end()
        for source, kind in self._sources(own, client):
            if followed.length >= LONGEST:
                return
            match = source.find(tail, hashes, followed.length)
            if match is not None and match.length > followed.length:
                _follow(followed, source, kind, match)

    def _sources(self, own: TextIndex, client: str | None) -> list[tuple[TextIndex, DraftKind]]:
        shared = self._texts.of(client) if self._texts is not None else []
        return [(own, DraftKind.LOOKUP), *((text, DraftKind.SHARED) for text in shared)]


def _follow(followed: Followed, source: TextIndex, kind: DraftKind, match: Match) -> None:
    foretold = source is followed.own and match.position < followed.offset
    followed.source, followed.kind = source, DraftKind.PREDICTION if foretold else kind
    followed.position, followed.length, followed.left = match.position, match.length, None


def _go_on(followed: Followed, token: int) -> bool:
    """The text has got a token: the place that it follows is one further on, or none any more. Returns whether there is
    one, or may be."""
    source, at = followed.source, followed.position
    known = followed.own.append(token)
    if source is None:
        return known if followed.left is None else _come_back(followed, followed.left, token) or known
    if at < len(source) and source.tokens[at] == token:
        followed.position, followed.length = at + 1, min(COUNTED, followed.length + 1)
        return True
    followed.left = source if followed.length >= WELL_FOLLOWED else None
    followed.source, followed.length, followed.since = None, 0, 0
    return known if followed.left is None else _come_back(followed, source, token) or known


def _come_back(followed: Followed, left: TextIndex, token: int) -> bool:
    """Returns whether ``token`` stands right behind the place that the text has left, from where it is followed on."""
    at = followed.position
    # In its own text the token itself, which is its last, leads nowhere.
    near = left.tokens[at : min(at + NEAR, len(left) - (left is followed.own))]
    if token in near:
        followed.position, followed.length = at + near.index(token) + 1, COME_BACK
        followed.source, followed.left = left, None
        return True
    followed.since += 1
    if followed.since > LEFT:
        followed.left = None
    return False


def _continued(followed: Followed, most: int) -> list[int]:
    """Returns what comes at the place that is followed."""
    source, at = followed.source, followed.position
    if source is None:
        return []
    draft = source.tokens[at : at + most].tolist()
    if SEPARATOR in draft:
        return draft[: draft.index(SEPARATOR)]
    if source is followed.own and draft and followed.kind is DraftKind.LOOKUP:
        # Behind its end a text that repeats itself goes on as it did since.
        for index in range(most - len(draft)):
            draft.append(draft[index])
    return draft
