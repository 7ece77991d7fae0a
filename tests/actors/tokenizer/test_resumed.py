"""An answer that goes on: what its tokens say is read again, and told again only where that is asked for."""

from __future__ import annotations

import pytest

from mlxr.actors.tokenizer.live_request import generation
from mlxr.actors.tokenizer.output_stream import OutputStream
from mlxr.actors.tokenizer.sandbox_results import EncodedPrompt, TokenizerInfo
from mlxr.models.chat import choose_parser
from mlxr.models.chat.families import NO_SIGNS
from mlxr.models.tokenizers import SpecialTokens
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, FinishReason
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Generate, Resumed, TextPrompt, TokenRow

PIECES = [b"On", b"ce", b" \xf0\x9f", b"\xa6\x8a", b" EN", b"D", b"ED"]


class Texts:
    """Token texts by number."""

    special = SpecialTokens()
    strips_space = False

    def token_bytes(self, token: int) -> bytes:
        return PIECES[token]


def stream(*stops: str) -> OutputStream:
    parser = choose_parser(NO_SIGNS, [], in_reasoning=False, split_reasoning=False)
    return OutputStream(1, 0, Texts(), list(stops), parser, tracked=True)


def told(made: OutputStream, tokens: list[int], *, finish: bool = False) -> tuple[str, list[int]]:
    """The text and the ids of the deltas of ``tokens``."""
    rows = [TokenRow(1, [token]) for token in tokens]
    rows += [TokenRow(1, [], finish=FinishReason.LENGTH)] if finish else []
    deltas = [delta for row in rows if (delta := made.take(row)) is not None]
    return "".join(delta.text for delta in deltas), [token for delta in deltas for token in delta.ids]


@pytest.mark.parametrize("cut", range(1, len(PIECES)))
def test_an_answer_resumed_at_any_token_says_what_the_whole_one_says(cut: int) -> None:
    """Also in the midst of a character, and of what may become a stop string."""
    tokens = list(range(len(PIECES)))
    whole, ids = told(stream("END."), tokens, finish=True)
    assert ids == tokens
    first, known = told(stream("END."), tokens[:cut])
    resumed = stream("END.")
    restated = resumed.resume(tokens[: len(known)])
    rest, more = told(resumed, tokens[len(known) :], finish=True)
    assert restated.text == first
    assert first + rest == whole
    assert (restated.ids, more) == (known, tokens[len(known) :])


def test_an_answer_that_fills_its_room_is_not_gone_on_with() -> None:
    prompt = EncodedPrompt(TokenIds.of(range(6)))
    info = TokenizerInfo(SpecialTokens(), memoryview(b""), memoryview(b""), False, NO_SIGNS, 10)
    resumed = Resumed(prompt.tokens, TokenIds.of([1, 2, 3]))
    submit = generation(Generate(1, TextPrompt("x"), resumed=resumed), prompt, None, info)
    assert (submit.output.list(), submit.max_tokens) == ([1, 2, 3], 4)
    full = Generate(1, TextPrompt("x"), resumed=Resumed(prompt.tokens, TokenIds.of([1, 2, 3, 4])))
    with pytest.raises(RequestError, match="4 tokens already") as refused:
        generation(full, prompt, None, info)
    assert refused.value.info.code is ErrorCode.CONTEXT_LENGTH
