"""Full-text search over titles and messages (SQLite's FTS5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from mlxr.actors.chats.state import ChatState
from mlxr.api.chats.views import Chat, SearchHit, SearchResult, SnippetPart
from mlxr.api.errors import invalid
from mlxr.api.whole_numbers import whole_number

OPEN, CLOSE = "\x02", "\x03"
"""What stands around a hit in a snippet: characters that no text has."""
SNIPPET_TOKENS = 24
MOST_HITS = 100
HITS = 30
MOST_WORDS = 16

_WORD = re.compile(r"\w+")
_PIECE = re.compile(f"{OPEN}(.*?){CLOSE}|([^{OPEN}{CLOSE}]+)", re.DOTALL)


class Search:
    """Finds chats by what is said in them."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def search(self, path: Mapping[str, str]) -> SearchResult:
        """Chats that have all words of ``q``, each as the beginning of one there; the best match of each."""
        limit = path.get("limit", str(HITS))
        number = whole_number(limit)
        if number is None or not 1 <= number <= MOST_HITS:
            raise invalid(f"`limit` is {limit[:20]!r}; it is a number from 1 to {MOST_HITS}", "limit")
        if not (query := query_of(path.get("q", ""))):
            return SearchResult(hits=[])
        rows = await self._state.store.database.rows(
            "SELECT chats.body, found.message, found.snippet FROM ("
            "  SELECT chat, message, snippet(search, 0, ?, ?, '…', ?) AS snippet, rank FROM search"
            "  WHERE search MATCH ? ORDER BY rank LIMIT ?"
            ") AS found JOIN chats ON chats.id = found.chat"
            " WHERE chats.deleted IS NULL AND NOT chats.temporary ORDER BY found.rank",
            OPEN, CLOSE, SNIPPET_TOKENS, query, number * 20,
        )  # fmt: skip
        hits: dict[str, SearchHit] = {}
        for body, message, snippet in rows:
            try:
                chat = msgspec.json.decode(body, type=Chat)
            except msgspec.MsgspecError:
                continue
            if chat.id not in hits and len(hits) < number:
                hits[chat.id] = SearchHit(chat=self._state.shown(chat), message=message, snippet=parts_of(snippet))
        return SearchResult(hits=list(hits.values()))


def query_of(text: str) -> str:
    """Returns what FTS5 is asked for: every word, as the beginning of one. Nothing that people type is its syntax."""
    return " ".join(f'"{word}"*' for word in _WORD.findall(text)[:MOST_WORDS])


def parts_of(snippet: str) -> list[SnippetPart]:
    """Returns a snippet in pieces, hits apart."""
    pieces = ((hit, True) if hit else (text, False) for hit, text in _PIECE.findall(snippet))
    return [SnippetPart(text=text, hit=hit) for text, hit in pieces if text]
