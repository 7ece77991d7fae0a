"""What each client's requests have said, for lookup by its own later ones."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from dataclasses import dataclass

from mlxr.actors.scheduler.speculation.text_index import SHORTEST, SLICE, TextIndex

CLIENT_TOKENS = 65_536
"""Tokens that are kept of one client."""

CLIENTS = 16
"""Clients whose texts are kept, those that spoke last: 100 MB at most."""

SEPARATOR = -1


@dataclass(slots=True)
class Texts:
    """One client's latest texts, and those before."""

    latest: TextIndex
    before: TextIndex | None = None


class ClientTexts:
    """Owns what clients' requests have said, each client's apart.

    How fast an answer comes tells its reader that its words have been said before. So a client is answered from its own
    words alone; who the server has no name for is a stranger to everybody.
    """

    def __init__(self, client_tokens: int = CLIENT_TOKENS, clients: int = CLIENTS) -> None:
        self._half = client_tokens // 2
        self._most = clients
        self._texts: OrderedDict[str, Texts] = OrderedDict()

    def add(self, client: str | None, tokens: array[int]) -> None:
        """Keeps what a client's request has said, or the end of it."""
        if client is None or not tokens:
            return
        texts = self._texts.pop(client, None) or Texts(TextIndex())
        self._texts[client] = texts
        if len(self._texts) > self._most:
            self._texts.popitem(last=False)
        kept = tokens[-(self._half - 1) :]
        if len(texts.latest) + len(kept) + 1 > self._half:
            texts.latest, texts.before = TextIndex(), texts.latest
        kept.append(SEPARATOR)
        texts.latest.extend(kept.tobytes())

    def of(self, client: str | None) -> list[TextIndex]:
        """Returns a client's texts, the latest first. A part of what is new among them is indexed first."""
        texts = self._texts.get(client) if client is not None else None
        if texts is None:
            return []
        found = [text for text in (texts.latest, texts.before) if text is not None]
        for text in found:
            if not text.ready:
                text.index_some(SLICE // 4)
        return found

    def have(self, client: str | None, text: TextIndex) -> bool:
        """Tells whether what ``text``, of a request of the client's, ends with may stand in its texts."""
        texts = self._texts.get(client) if client is not None else None
        if texts is None:
            return False
        value, gram = text.shortest_end, text.tokens[-SHORTEST:]
        return texts.latest.has(value, gram) or (texts.before is not None and texts.before.has(value, gram))
