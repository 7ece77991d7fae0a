"""One model's text side: tokenizer, chat template and context, loaded from its files."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from mlxr.actors.tokenizer.prompt_parts import ALL, Ends, joined
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.models.chat import (
    ChatTemplate,
    ModelTemplate,
    load_folder_template,
    load_model_template,
    make_template,
    no_template,
)
from mlxr.models.chat.fallback import TemplateSource
from mlxr.models.chat.truncation import common_start, size_of, truncated, with_other_longest
from mlxr.models.gguf import GGUFFile
from mlxr.models.identity import require_same
from mlxr.models.tokenizers import Tokenizer, load_directory, load_gguf
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import ChatPrompt, FillPrompt, Prompt, TextPrompt, TokenPrompt

SAFETENSORS = "safetensors"
EMBEDDING = "embedding"
CHARACTERS_A_TOKEN = 4
"""About as many as English text has."""
COUNTED = 1 << 20
"""Tokens of a prompt that does not fit that are counted, for its client to know how much to leave out."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as token ids. ``source``: the chat template that rendered it, empty for other prompts.
    ``in_reasoning``: it ends inside a reasoning section."""

    tokens: list[int]
    text: str
    source: str = ""
    in_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Fitting:
    """How a prompt is made to fit ``context`` tokens: of a longer one remain the first ``keep`` and the latest, or an
    error if that is None. ``from_start``: the end is what is left out. ``field``: what an error names."""

    context: int
    keep: int | None
    from_start: bool = False
    field: str = "messages"


class ModelText:
    """Turns prompts into token ids. Safe to call from several threads. ``longest``: characters that one token can stand
    for, 0 for any number (BERT's stand for words that are not known, and drop space). ``fault``: why the template in
    the model's file is not used."""

    def __init__(
        self,
        name: str,
        tokenizer: Tokenizer,
        template: ChatTemplate | None,
        context_length: int,
        longest: int = 0,
        fault: str = "",
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.template = template
        self.context_length = context_length
        self._longest = longest
        self._fault = fault

    @classmethod
    def load(cls, settings: TokenizerSettings) -> ModelText:
        """Raises ``ModelError`` or ``TokenizerError`` for files that can't be used."""
        spec = settings.spec
        require_same(Path(spec.path), spec.identity)
        limits = [spec.info.context_length, settings.context_length, settings.pool_tokens]
        context = min((limit for limit in limits if limit), default=1 << 31)
        path, folder = Path(spec.path), spec.info.format == SAFETENSORS
        metadata = {} if folder else GGUFFile.open(path).metadata
        tokenizer = load_directory(path) if folder else load_gguf(metadata)
        if folder and EMBEDDING in spec.info.capabilities:
            return cls(spec.model, tokenizer, None, context)
        if spec.template:
            own = ModelTemplate(make_template(TemplateSource(spec.template), tokenizer))
        elif folder:
            own = load_folder_template(path, tokenizer)
        else:
            own = load_model_template(metadata, tokenizer)
        if folder:
            return cls(spec.model, tokenizer, own.template, context, fault=own.fault)
        longest = max(len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size))
        return cls(spec.model, tokenizer, own.template, context, longest, own.fault)

    def encode(self, prompt: Prompt, fitting: Fitting | None = None, field: str = "prompt") -> Encoded:
        """Token ids of any kind of prompt. Raises ``RequestError`` for one that this model can't take. ``fitting``:
        what will be left of a prompt that is too long, which then is not encoded as a whole. ``field``: what an error
        about token ids names."""
        match prompt:
            case TextPrompt():
                text = self._shortened(prompt.text, fitting)
                tokens = self.tokenizer.encode(
                    text,
                    add_special=prompt.add_special,
                    parse_special=prompt.parse_special,
                    limit=_useful(fitting),
                )
                _check_useful(tokens, fitting)
                return Encoded(tokens, prompt.text)
            case TokenPrompt():
                return self._ids(prompt.tokens, field)
            case ChatPrompt():
                return self._chat(prompt, fitting)
            case FillPrompt():
                return self._fill(prompt)

    def _chat(self, prompt: ChatPrompt, fitting: Fitting | None) -> Encoded:
        template = self._template(prompt)
        if fitting is None or fitting.keep is None:
            return self._rendered(template, prompt, fitting)
        # What is far too long is not rendered as a whole: that would take as long as its sender likes.
        ends = self.ends(fitting)
        prompt = msgspec.structs.replace(prompt, messages=[joined([m], ends) for m in prompt.messages])
        characters = size_of(prompt)
        estimate = characters // CHARACTERS_A_TOKEN
        if characters <= ends.head + ends.tail:
            encoded = self._rendered(template, prompt, fitting)
            if len(encoded.tokens) < fitting.context:
                return encoded
            estimate = len(encoded.tokens)
        prompt, encoded = truncated(
            prompt, estimate, fitting.context, lambda shorter: self._rendered(template, shorter, fitting)
        )
        if len(encoded.tokens) < fitting.context:
            return encoded
        # The last turn alone is too long: its longest text is cut, and what is before that stays.
        rendered = template.render(prompt)
        head = common_start(rendered.escaped, template.render(with_other_longest(prompt)).escaped)
        kept = max(fitting.keep, len(self.tokenizer.encode(head, escape=rendered.escape)))
        whole = self._rendered(template, prompt, replace(fitting, keep=kept))
        return replace(whole, tokens=fit(whole.tokens, fitting.context, kept))

    def _rendered(self, template: ChatTemplate, prompt: ChatPrompt, fitting: Fitting | None) -> Encoded:
        rendered = template.render(prompt)
        text = self._shortened(rendered.escaped, fitting)
        tokens = self.tokenizer.encode(text, escape=rendered.escape, limit=_useful(fitting))
        _check_useful(tokens, fitting)
        return Encoded(tokens, rendered.text, template.source, rendered.in_reasoning)

    def _shortened(self, text: str, fitting: Fitting | None) -> str:
        """``text``, or so much of its ends as ``fit`` or ``fit_whole`` could make use of."""
        self.check_length(len(text), fitting)
        return self.ends(fitting).of([text])

    def check_length(self, characters: int, fitting: Fitting | None) -> None:
        """Raises ``RequestError`` for a prompt of so many characters that it can't fit, whatever they are."""
        if fitting is None or fitting.keep is not None or not self._longest:
            return
        if characters > (fitting.context + 1) * self._longest:
            raise RequestError(too_long(characters // self._longest, fitting.context, fitting.field, at_least=True))

    def ends(self, fitting: Fitting | None) -> Ends:
        """What ``fit`` or ``fit_whole`` could make use of in a text of a prompt."""
        if fitting is None or fitting.keep is None or not self._longest:
            return ALL
        most = fitting.context * self._longest
        if fitting.from_start:
            return Ends(most + self._longest, 0)
        return Ends((min(fitting.keep, fitting.context) + 1) * self._longest, most)

    def room(self, wanted: int | None) -> int:
        """Tokens there is room for; ``wanted`` is a request's own limit, None for none."""
        return min(self.context_length, wanted or self.context_length)

    def _template(self, prompt: ChatPrompt) -> ChatTemplate:
        if prompt.template is not None:
            return make_template(TemplateSource(prompt.template), self.tokenizer)
        if self.template is None:
            raise no_template(self.name, self._fault)
        return self.template

    def check_ids(self, tokens: Iterable[int], field: str) -> None:
        """Raises ``RequestError`` naming ``field`` for a token that the model does not have."""
        size = self.tokenizer.vocab_size
        for token in tokens:
            if not 0 <= token < size:
                message = f"token id {token} is outside this model's vocabulary of {size}"
                raise RequestError(ErrorInfo(ErrorCode.INVALID, message, field))

    def _ids(self, tokens: list[int], field: str) -> Encoded:
        self.check_ids(tokens, field)
        return Encoded(tokens, self.tokenizer.decode(tokens, skip_special=False))

    def _fill(self, prompt: FillPrompt) -> Encoded:
        fill = self.tokenizer.special.fill
        if fill is None:
            message = f"the model {self.name!r} has no tokens for filling in the middle; leave out `suffix`"
            raise RequestError(ErrorInfo(ErrorCode.UNSUPPORTED, message, "suffix"))
        before = self.tokenizer.encode(prompt.prefix, add_special=False, parse_special=False)
        after = self.tokenizer.encode(prompt.suffix, add_special=False, parse_special=False)
        tokens = [fill.prefix, *before, fill.suffix, *after, fill.middle]
        bos = self.tokenizer.special.bos
        if self.tokenizer.special.add_bos and bos is not None:
            tokens.insert(0, bos)
        return Encoded(tokens, prompt.prefix)


def _useful(fitting: Fitting | None) -> int:
    """Tokens of a text's beginning beyond which no more are of use."""
    if fitting is None:
        return sys.maxsize
    if fitting.keep is None:
        return max(fitting.context, COUNTED)
    return fitting.context if fitting.from_start else sys.maxsize


def _check_useful(tokens: Sequence[int], fitting: Fitting | None) -> None:
    """Raises ``RequestError`` for ``tokens`` that are too many, and perhaps not all."""
    if fitting is not None and fitting.keep is None and len(tokens) > _useful(fitting):
        raise RequestError(too_long(len(tokens), fitting.context, fitting.field, at_least=True))


EMPTY = ErrorInfo(ErrorCode.INVALID, "the prompt is empty: it has no tokens", "prompt")


def too_long(tokens: int, context: int, field: str, *, at_least: bool = False) -> ErrorInfo:
    count = f"at least {tokens}" if at_least else str(tokens)
    # Clients that have only the text to go by look for these words: agents shorten a conversation by themselves then.
    limit = f"this model's maximum context length is {context} tokens"
    if field == "input":
        message = f"the input length exceeds the context length: {count} tokens, and {limit}; shorten the input"
    else:
        length = f"the prompt is too long: {count} tokens > {context}"
        message = f"{length}; it exceeds the context length: {limit}, one of them for the answer; shorten the prompt"
    return ErrorInfo(ErrorCode.CONTEXT_LENGTH, message, field)


def fit(tokens: list[int], context: int, keep: int | None) -> list[int]:
    """``tokens`` if they leave room for an answer in ``context``; else the first ``keep`` and the latest of them.

    Raises ``RequestError`` naming both lengths when ``keep`` is None, or when there is nothing to run.
    """
    if not tokens:
        raise RequestError(EMPTY)
    if len(tokens) < context:
        return tokens
    if keep is None:
        raise RequestError(too_long(len(tokens), context, "messages"))
    # Half the room goes to the latest tokens, as Ollama's runner does it, so that the answer has the other half.
    keep = min(keep, context // 2)
    latest = max(1, (context - keep) // 2)
    return tokens[:keep] + tokens[-latest:]


def fit_whole(tokens: list[int], context: int, control: Collection[int], *, truncate: bool) -> list[int]:
    """``tokens`` of a text to embed, which needs no room for an answer. ``truncate`` leaves out its end, but not the
    ``control`` token behind it (BERT's ``[SEP]``).

    Raises ``RequestError`` naming both lengths for a text that is too long, or empty, and for a ``context`` with room
    for control tokens only.
    """
    if not tokens:
        raise RequestError(EMPTY)
    if len(tokens) <= context:
        return tokens
    if not truncate:
        raise RequestError(too_long(len(tokens), context, "input"))
    closing = tokens[-1:] if tokens[-1] in control else []
    kept = tokens[: context - len(closing)] + closing
    if all(token in control for token in kept):
        raise RequestError(too_long(len(tokens), context, "input"))
    return kept
