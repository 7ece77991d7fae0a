from __future__ import annotations

import pytest

from mlxr.actors.tokenizer.live_request import generation
from mlxr.actors.tokenizer.sandbox_results import EncodedPrompt, TokenizerInfo
from mlxr.models.chat.families import TemplateSigns
from mlxr.models.tokenizers import SpecialTokens
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Generate, TextPrompt

PROMPT = EncodedPrompt(TokenIds.of([1, 2]), prediction=TokenIds.of([3, 4]))


def submitted(most_drafted: int | None) -> Submit:
    info = TokenizerInfo(SpecialTokens(), memoryview(b""), memoryview(b""), False, TemplateSigns(), 100)
    return generation(Generate(1, TextPrompt("a"), most_drafted=most_drafted), PROMPT, None, info)


@pytest.mark.parametrize(("most", "speculates"), [(None, True), (8, True), (0, False)])
def test_a_request_without_drafts_does_not_speculate(most: int | None, speculates: bool) -> None:
    submit = submitted(most)
    assert submit.speculate == speculates
    assert submit.most_drafted == most


def test_what_the_output_is_expected_to_have_goes_with_the_prompt() -> None:
    assert submitted(None).prediction == PROMPT.prediction
