"""What runs in the tokenizer's sandbox: rendering, encoding, and the making of constraints.

``load`` runs once in the zygote; every other function finds there what it has loaded.
"""

from __future__ import annotations

import contextlib

import msgspec

from mlxr.actors.tokenizer.answer_constraint import answer_constraint
from mlxr.actors.tokenizer.prompt_parts import assembled_prompt, least_characters
from mlxr.actors.tokenizer.sandbox_results import EncodedInput, EncodedPrompt, TokenizerInfo, TriedInput
from mlxr.actors.tokenizer.sections import prompt_sections
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.actors.tokenizer.text import Encoded, ModelText
from mlxr.actors.tokenizer.truncation import TruncationPolicy, truncated_input, truncated_prompt
from mlxr.models.chat import choose_parser
from mlxr.models.chat.families import NO_SIGNS
from mlxr.models.constraints import ConstraintError, Vocabulary
from mlxr.models.output import shown_tokens
from mlxr.models.tokenizers.portable import portable
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import Tokenized
from mlxr.runtime.messages.scheduler import PromptSection
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import (
    ChatPrompt,
    Detokenize,
    Embed,
    Generate,
    PairPrompt,
    PromptPart,
    TextPrompt,
    Tokenize,
)

MOST_TOKENS = 1 << 20
"""Token ids that one answer may list."""


class _Loaded:
    """The model's text side, once ``load`` has run, and what ``load_vocabulary`` makes."""

    text: ModelText
    vocabulary: Vocabulary | None = None
    """For trials of constraints; None until one is wanted, and where the model has no end that a trial could reach."""


def load(settings: TokenizerSettings) -> None:
    """Raises ``ModelError`` for files that can't be used."""
    _Loaded.text = ModelText.load(settings)


def tokenizer_info() -> TokenizerInfo:
    text = _Loaded.text
    blob, offsets = text.tokenizer.table.packed()
    signs = text.signs_for(None)
    return TokenizerInfo(
        text.tokenizer.special,
        blob,
        offsets,
        text.tokenizer.strips_space,
        signs,
        text.context_length,
        portable(text.tokenizer),
        text.prompt_before(None, optional=False),
    )


def load_vocabulary() -> None:
    """Builds what constraints are tried with: a second's work for a large vocabulary, and only some requests need
    it."""
    tokenizer = _Loaded.text.tokenizer
    with contextlib.suppress(ConstraintError):
        _Loaded.vocabulary = Vocabulary(tokenizer, tokenizer.vocab_size)


def constrain(command: Generate, in_reasoning: bool) -> Constraint | None:
    """Returns what the answer is held to, tried with the model's own vocabulary. ``command`` may lack its messages;
    ``in_reasoning``: the prompt ends inside a reasoning section. Raises ``RequestError`` where it can't be had."""
    text, signs = _Loaded.text, NO_SIGNS
    if isinstance(command.prompt, ChatPrompt):
        signs = text.signs_for(command.prompt.template)
    return answer_constraint(command, signs, text.tokenizer, _Loaded.vocabulary, in_reasoning=in_reasoning)


def prepare(command: Generate, *parts: PromptPart) -> EncodedPrompt:
    """Raises ``RequestError`` for a prompt that can't be rendered or does not fit."""
    text = _Loaded.text
    context = text.room(command.context_length)
    text.check_ids(command.sampling.logit_bias, "logit_bias")
    field = "messages" if isinstance(command.prompt, ChatPrompt) else "prompt"
    policy = TruncationPolicy(context, command.truncate_keep, field=field)
    text.check_length(least_characters(command, list(parts)), policy)
    command = msgspec.structs.replace(command, prompt=assembled_prompt(command, list(parts), text.kept_ends(policy)))
    encoded = text.encode(command.prompt, policy)
    if command.resumed is not None:
        # What it began with, whatever the template would make of it today.
        text.check_ids([*command.resumed.prompt, *command.resumed.output], "resumed")
        tokens = command.resumed.prompt
    else:
        tokens = TokenIds.of(truncated_prompt(encoded.tokens, context, command.truncate_keep, field))
    return EncodedPrompt(
        tokens=tokens,
        in_reasoning=encoded.in_reasoning,
        shown=_shown(command, encoded),
        text=encoded.text if command.echo else "",
        signs=encoded.signs if isinstance(command.prompt, ChatPrompt) and command.prompt.template is not None else None,
        prediction=_predicted(command),
        sections=_sections(text, command, encoded) if len(tokens) == len(encoded.tokens) else [],
    )


def _sections(text: ModelText, command: Generate, encoded: Encoded) -> list[PromptSection]:
    if not isinstance(command.prompt, ChatPrompt):
        return []
    return prompt_sections(command.prompt, encoded.text, encoded.tokens, text.token_lengths)


def _predicted(command: Generate) -> TokenIds:
    """Returns the ids of what the output is expected to have, where that is of any use."""
    if not command.prediction or command.most_drafted == 0:
        return TokenIds()
    return TokenIds.of(_Loaded.text.tokenizer.encode(command.prediction, add_special=False, parse_special=False))


def _shown(command: Generate, encoded: Encoded) -> list[int]:
    """Control tokens whose names the answer's parser reads."""
    if not isinstance(command.prompt, ChatPrompt):
        return []
    parser = choose_parser(encoded.signs, command.prompt.tools, in_reasoning=encoded.in_reasoning)
    return sorted(shown_tokens(parser, _Loaded.text.tokenizer))


def embed(command: Embed, *parts: PromptPart) -> EncodedInput:
    """Returns the token ids of a text to embed, or of a pair to score. Raises ``RequestError`` for one that does not
    fit."""
    text = _Loaded.text
    context = text.room(command.context_length)
    policy = TruncationPolicy(context, 0 if command.truncate else None, from_start=True, field="input")
    text.check_length(least_characters(command, list(parts)), policy)
    prompt = assembled_prompt(command, list(parts), text.kept_ends(policy))
    if isinstance(prompt, PairPrompt):
        pair = text.pairs.encode(prompt, context, truncate=command.truncate)
        return EncodedInput(TokenIds.of(pair.tokens), pair.segment_start, pair.truncated)
    if isinstance(prompt, TextPrompt):
        named = text.prompt_before(command.prompt_name, optional=command.optional_prompt)
        prompt = msgspec.structs.replace(prompt, text=named + prompt.text)
    encoded = text.encode(prompt, policy, "input")
    tokens = truncated_input(encoded.tokens, context, text.tokenizer.special.control, truncate=command.truncate)
    return EncodedInput(TokenIds.of(tokens), None, len(tokens) < len(encoded.tokens))


def embed_each(*commands: Embed) -> list[TriedInput]:
    """Returns for each what ``embed`` returns, or why it raised."""
    tried: list[TriedInput] = []
    for command in commands:
        try:
            tried.append(TriedInput(embed(command)))
        except RequestError as error:
            tried.append(TriedInput(refused=error.info))
    return tried


def tokenize(command: Tokenize, *parts: PromptPart) -> Tokenized:
    text = _Loaded.text
    encoded = text.encode(assembled_prompt(command, list(parts)))
    if (command.want_tokens or command.want_pieces) and len(encoded.tokens) > MOST_TOKENS:
        message = f"the text has {len(encoded.tokens)} tokens; ask for at most {MOST_TOKENS} at once"
        raise RequestError(ErrorInfo(ErrorCode.INVALID, message, "prompt"))
    tokens = encoded.tokens if command.want_tokens else []
    pieces = [text.tokenizer.token_bytes(token) for token in encoded.tokens] if command.want_pieces else []
    shown = encoded.text if command.want_text else ""
    return Tokenized(command.request, tokens, shown, pieces, len(encoded.tokens))


def detokenize(command: Detokenize, *parts: PromptPart) -> Tokenized:
    encoded = _Loaded.text.encode(assembled_prompt(command, list(parts)), field="tokens")
    return Tokenized(command.request, [], encoded.text, [], len(encoded.tokens))
