"""One model's text side: tokenizer, chat template and context, loaded from its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from mlxr.actors.tokenizer.pair_encoder import PairEncoder
from mlxr.actors.tokenizer.prompt_parts import joined_message
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.actors.tokenizer.truncation import (
    WHOLE,
    TextEnds,
    TruncationPolicy,
    check_useful,
    too_long,
    truncated_prompt,
    useful_tokens,
)
from mlxr.models.chat import (
    ChatTemplate,
    ModelTemplate,
    load_folder_template,
    load_model_template,
    make_template,
    no_template,
    template_signs,
)
from mlxr.models.chat.fallback import TemplateSource
from mlxr.models.chat.families import NO_SIGNS, TemplateSigns
from mlxr.models.chat.truncation import common_start, size_of, truncated, with_other_longest
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.identity import require_same
from mlxr.models.pooling_heads import folder_prompt, gguf_prompt
from mlxr.models.sentence_transformers import Prompts, read_prompts
from mlxr.models.tokenizers import Tokenizer, load_directory, load_gguf
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import ChatPrompt, FillPrompt, PairPrompt, Prompt, TextPrompt, TokenPrompt

SAFETENSORS = "safetensors"
EMBEDDING, RERANK = "embedding", "rerank"
CHARACTERS_A_TOKEN = 4
"""About as many as English text has."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as token ids.

    Attributes:
        signs: what the chat template that rendered it tells; of an empty one for other prompts.
        in_reasoning: it ends inside a reasoning section.
    """

    tokens: list[int]
    text: str
    signs: TemplateSigns = NO_SIGNS
    in_reasoning: bool = False


class ModelText:
    """Turns prompts into token ids. Safe to call from several threads.

    Args:
        name: the model's, for errors.
        tokenizer: encodes texts.
        template: renders conversations; None where the model has none that can be used.
        context_length: tokens that there is room for.
        longest: characters that one token can stand for; None for any number (BERT's stand for words that are not
            known, and drop space).
        fault: why the template in the model's file is not used; empty where it is.
        prompts: what is put before texts to embed.
        rank_prompt: what a text model that ranks is asked; None for an encoder.
    """

    def __init__(
        self,
        name: str,
        tokenizer: Tokenizer,
        template: ChatTemplate | None,
        context_length: int,
        longest: int | None = None,
        fault: str = "",
        prompts: Prompts | None = None,
        rank_prompt: str | None = None,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.template = template
        self.context_length = context_length
        self._longest = longest
        self._fault = fault
        self._prompts = prompts or Prompts()
        self.pairs = PairEncoder(tokenizer, rank_prompt)

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
        able = spec.info.capabilities
        if folder and {EMBEDDING, RERANK} & set(able) and "completion" not in able:
            prompt = folder_prompt(path) if RERANK in able else None
            return cls(spec.model, tokenizer, None, context, prompts=read_prompts(path), rank_prompt=prompt)
        if spec.template:
            own = ModelTemplate(make_template(TemplateSource(spec.template), tokenizer, family=spec.family))
        elif folder:
            own = load_folder_template(path, tokenizer, spec.family)
        else:
            own = load_model_template(metadata, tokenizer, spec.family)
        if folder:
            return cls(spec.model, tokenizer, own.template, context, fault=own.fault)
        longest = tokenizer.table.longest
        prompt = gguf_prompt(metadata) if RERANK in able else None
        return cls(spec.model, tokenizer, own.template, context, longest, own.fault, rank_prompt=prompt)

    def encode(self, prompt: Prompt, policy: TruncationPolicy | None = None, field: str = "prompt") -> Encoded:
        """Returns the token ids of any kind of prompt. Raises ``RequestError`` for one that this model can't take.
        ``policy``: what will be left of a prompt that is too long, which then is not encoded as a whole. ``field``:
        what an error about token ids names."""
        match prompt:
            case TextPrompt():
                text = self._shortened(prompt.text, policy)
                tokens = self.tokenizer.encode(
                    text,
                    add_special=prompt.add_special,
                    parse_special=prompt.parse_special,
                    limit=useful_tokens(policy),
                )
                check_useful(tokens, policy)
                return Encoded(tokens, prompt.text)
            case TokenPrompt():
                return self._ids(prompt.tokens, field)
            case ChatPrompt():
                return self._chat(prompt, policy)
            case FillPrompt():
                return self._fill(prompt)
            case PairPrompt():
                raise RequestError(ErrorInfo(ErrorCode.INVALID, "a pair can only be scored", field))

    def prompt_before(self, name: str | None, *, optional: bool) -> str:
        """Returns what is put before a text to embed. ``name``: of the prompt; None for the model's usual one, "" for
        none. Raises ``RequestError`` for one that the model has not, unless that is ``optional``."""
        texts = self._prompts.texts
        if name is None or (optional and name not in texts):
            name = self._prompts.default or ""
        if not name or name in texts:
            return texts.get(name, "")
        known = ", ".join(sorted(texts)) or "none"
        message = f"the model {self.name!r} has no prompt {name[:60]!r}; it has {known}"
        raise RequestError(ErrorInfo(ErrorCode.INVALID, message, "prompt_name"))

    def _chat(self, prompt: ChatPrompt, policy: TruncationPolicy | None) -> Encoded:
        template = self._template(prompt)
        if policy is None or policy.keep is None:
            return self._rendered(template, prompt, policy)
        # What is far too long is not rendered as a whole: that would take as long as its sender likes.
        ends = self.kept_ends(policy)
        prompt = msgspec.structs.replace(prompt, messages=[joined_message([m], ends) for m in prompt.messages])
        characters = size_of(prompt)
        estimate = characters // CHARACTERS_A_TOKEN
        if characters <= ends.head + ends.tail:
            encoded = self._rendered(template, prompt, policy)
            if len(encoded.tokens) < policy.context:
                return encoded
            estimate = len(encoded.tokens)
        prompt, encoded = truncated(
            prompt, estimate, policy.context, lambda shorter: self._rendered(template, shorter, policy)
        )
        if len(encoded.tokens) < policy.context:
            return encoded
        # The last turn alone is too long: its longest text is cut, and what is before that stays.
        rendered = template.render(prompt)
        head = common_start(rendered.escaped, template.render(with_other_longest(prompt)).escaped)
        kept = max(policy.keep, len(self.tokenizer.encode(head, escape=rendered.escape)))
        whole = self._rendered(template, prompt, replace(policy, keep=kept))
        return replace(whole, tokens=truncated_prompt(whole.tokens, policy.context, kept))

    def _rendered(self, template: ChatTemplate, prompt: ChatPrompt, policy: TruncationPolicy | None) -> Encoded:
        rendered = template.render(prompt)
        text = self._shortened(rendered.escaped, policy)
        tokens = self.tokenizer.encode(text, escape=rendered.escape, limit=useful_tokens(policy))
        check_useful(tokens, policy)
        return Encoded(tokens, rendered.text, template.signs, rendered.in_reasoning)

    def _shortened(self, text: str, policy: TruncationPolicy | None) -> str:
        """``text``, or so much of its ends as ``truncated_prompt`` or ``truncated_input`` could make use of."""
        self.check_length(len(text), policy)
        return self.kept_ends(policy).cut([text])

    def check_length(self, characters: int, policy: TruncationPolicy | None) -> None:
        """Raises ``RequestError`` for a prompt of so many characters that it can't fit, whatever they are."""
        if policy is None or policy.keep is not None or not self._longest:
            return
        if characters > (policy.context + 1) * self._longest:
            raise RequestError(too_long(characters // self._longest, policy.context, policy.field, at_least=True))

    def kept_ends(self, policy: TruncationPolicy | None) -> TextEnds:
        """Returns what ``truncated_prompt`` or ``truncated_input`` could make use of in a text of a prompt."""
        if policy is None or policy.keep is None or not self._longest:
            return WHOLE
        most = policy.context * self._longest
        if policy.from_start:
            return TextEnds(most + self._longest, 0)
        return TextEnds((min(policy.keep, policy.context) + 1) * self._longest, most)

    @cached_property
    def token_lengths(self) -> NDArray[np.int64]:
        """How many bytes each token stands for."""
        offsets = np.frombuffer(self.tokenizer.table.packed()[1], np.uint32).astype(np.int64)
        lengths: NDArray[np.int64] = offsets[1:] - offsets[:-1]
        return lengths

    def room(self, wanted: int | None) -> int:
        """Returns how many tokens there is room for; ``wanted`` is a request's own limit, None for none."""
        return min(self.context_length, wanted or self.context_length)

    def _template(self, prompt: ChatPrompt) -> ChatTemplate:
        if prompt.template is not None:
            return make_template(TemplateSource(prompt.template), self.tokenizer)
        if self.template is None:
            raise no_template(self.name, self._fault)
        return self.template

    def signs_for(self, template: str | None) -> TemplateSigns:
        """Returns what a template tells: one that a request brings, or the model's own for None. Raises ``ChatError``
        for one that does not parse."""
        if template is not None:
            return template_signs(template)
        return self.template.signs if self.template is not None else NO_SIGNS

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
        if self.template is not None and self.template.fills:
            rendered = self.template.fill(prompt)
            return Encoded(self.tokenizer.encode(rendered.escaped, escape=rendered.escape), rendered.text)
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
