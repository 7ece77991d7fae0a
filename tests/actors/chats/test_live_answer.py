"""What one answer has, and what of it is still to be written."""

from __future__ import annotations

from mlxr.actors.chats.live_answer import LiveAnswer
from mlxr.actors.chats.run import Run
from mlxr.api.chats.views import ChatTurn, TextPart
from mlxr.runtime.messages.frontend import Delta
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Generate, TextPrompt


def test_what_is_restated_while_its_run_is_written_is_still_to_be_written() -> None:
    turn = ChatTurn(id="a", role="assistant", created=0.0, content=[TextPart(text="ab")])
    answer = LiveAnswer("chat", turn, Run(command=Generate(1, TextPrompt("Hi")), output=TokenIds.of([7, 8])), [])
    answer.settle(answer.run, turn)
    mark, _, nothing = answer.unwritten()
    answer.take(Delta(1, text="abc", ids=[7, 8, 9]))
    answer.written(mark)
    _, start, piece = answer.unwritten()
    assert nothing is None
    assert piece is not None
    assert (start, piece.text, piece.output.list()) == (0, "abc", [7, 8, 9])
