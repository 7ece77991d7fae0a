"""What comes out of the tokenizer's sandbox."""

from __future__ import annotations

from msgspec import Struct

from mlxr.models.chat.families import TemplateSigns
from mlxr.models.tokenizers import SpecialTokens
from mlxr.models.tokenizers.portable import PortableTokenizer
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorInfo
from mlxr.runtime.messages.scheduler import PromptSection
from mlxr.runtime.messages.token_ids import TokenIds


class TokenizerInfo(Struct, frozen=True):
    """What the actor itself needs of the model's text side.

    Attributes:
        special: roles of token ids.
        blob, offsets: the bytes of every token, as ``TokenTable`` holds them; over the memory that they came in.
        signs: what the chat template tells of how the model writes; of an empty one where there is none.
        strips_space: as in ``TokenTexts``.
        context_length: tokens that the engine has room for.
        portable: what encodes short texts to embed outside of the sandbox; None where nothing may.
        before: what is put before every text to embed.
    """

    special: SpecialTokens
    blob: memoryview
    offsets: memoryview
    strips_space: bool
    signs: TemplateSigns
    context_length: int
    portable: PortableTokenizer | None = None
    before: str = ""


class EncodedInput(Struct, frozen=True, array_like=True):
    """A text to embed, or a pair to score, ready to be submitted.

    Attributes:
        tokens: its ids.
        segment_start: as in ``Submit``.
        truncated: something of it was left out.
    """

    tokens: TokenIds
    segment_start: int | None = None
    truncated: bool = False


class TriedInput(Struct, frozen=True, array_like=True):
    """What became of one of several texts to embed.

    Attributes:
        encoded: the text, if it was not refused.
        refused: why it was.
    """

    encoded: EncodedInput | None = None
    refused: ErrorInfo | None = None

    def outcome(self) -> EncodedInput | RequestError:
        if self.refused is not None:
            return RequestError(self.refused)
        assert self.encoded is not None, "a text is encoded or refused"
        return self.encoded


class EncodedPrompt(Struct, frozen=True, array_like=True):
    """A prompt ready to be submitted.

    Attributes:
        tokens: its ids.
        text: the prompt's, where it was asked for.
        in_reasoning: the prompt ends inside a reasoning section.
        shown: control tokens whose names the parser reads.
        signs: of the template that the request brought; None where it brought none.
        prediction: ids of the text that the output is expected to have much of.
        sections: the parts of a conversation's prompt; none where it was cut.
    """

    tokens: TokenIds
    in_reasoning: bool = False
    shown: list[int] = []
    text: str = ""
    signs: TemplateSigns | None = None
    prediction: TokenIds = TokenIds()
    sections: list[PromptSection] = []
