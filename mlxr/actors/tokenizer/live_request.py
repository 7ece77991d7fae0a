"""A request between its prompt and its outcome: what is submitted for it, and what its client is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from mlxr.actors.tokenizer.output_spec import OutputSpec
from mlxr.actors.tokenizer.output_stream import OutputStream
from mlxr.actors.tokenizer.sandbox_results import EncodedInput, EncodedPrompt, TokenizerInfo
from mlxr.models.tokenizers import TokenTexts
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import Constraint, ErrorCode, ErrorInfo, index_of
from mlxr.runtime.messages.frontend import Delta, Finished, Started
from mlxr.runtime.messages.scheduler import Submit, Task
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Embed, Generate, RequestDone, TokenRow


@dataclass(slots=True)
class LiveRequest:
    """Owns the output streams of one request.

    Attributes:
        command: what was asked.
        prompt: its token ids, once it is encoded.
        outputs: one stream for each sequence.
        submitted: the scheduler has it.
        started: what its client is told once the scheduler has queued it; None before and after.
        truncated: something of an input to embed was left out.
        restated: what a resumed answer said before, where its client is told again; None once it was.
        silent: only the prompt is asked about: the one token that comes with reading it is nobody's.
    """

    command: Generate | Embed
    prompt: TokenIds = field(default_factory=TokenIds)
    outputs: list[OutputStream] = field(default_factory=list)
    submitted: bool = False
    started: Started | None = None
    truncated: bool = False
    restated: Delta | None = None
    silent: bool = False

    def begin(
        self,
        command: Generate,
        prompt: EncodedPrompt,
        info: TokenizerInfo,
        texts: TokenTexts,
        unheld: tuple[str, ...] = (),
    ) -> None:
        """The prompt is encoded, and about to be submitted. ``unheld``: as in ``Constraint``."""
        self.silent = command.max_tokens == 0
        self.prompt = prompt.tokens
        spec = OutputSpec.of(command, info.signs, prompt)
        self.outputs = [spec.stream(index, texts) for index in range(command.n)]
        if command.resumed is not None:
            restated = self.outputs[0].resume(command.resumed.output.list())
            self.restated = restated if command.resumed.restate else None
        self.submitted = True
        self.started = replace(started(command, prompt, texts), unheld=unheld)

    def take(self, row: TokenRow) -> tuple[Delta | None, OutputStream]:
        """Returns what ``row`` adds to its sequence, None where nothing can be shown yet, and the sequence's stream."""
        output = self.outputs[index_of(row.sequence)]
        return output.skip(row) if self.silent else output.take(row), output

    def finished(self, message: RequestDone) -> Finished:
        """Returns the outcome of a request whose sequences have all ended."""
        # What came behind a stop string before the scheduler knew of it counts for nobody.
        tokens = 0 if self.silent else sum(len(output.tokens) for output in self.outputs)
        reasoning = sum(output.reasoning_tokens for output in self.outputs)
        usage = replace(message.usage, completion_tokens=tokens, reasoning_tokens=reasoning)
        if not (isinstance(self.command, Generate) and self.command.return_tokens):
            return Finished(message.request, usage)
        output = self.outputs[0].tokens if self.outputs and not self.silent else []
        return Finished(message.request, usage, [*self.prompt, *output])


def started(command: Generate, prompt: EncodedPrompt, texts: TokenTexts) -> Started:
    """Returns what the client of a request is told first."""
    if command.tracked:
        return Started(command.request, len(prompt.tokens), tokens=prompt.tokens.list())
    if not command.echo:
        return Started(command.request, len(prompt.tokens))
    tokens = prompt.tokens.list()
    return Started(command.request, len(tokens), prompt.text, tokens, [texts.token_bytes(token) for token in tokens])


NO_DRAFT_MODEL = ("", "none")
"""What a request says that wants no draft model."""


def generation(command: Generate, prompt: EncodedPrompt, constraint: Constraint | None, info: TokenizerInfo) -> Submit:
    """Returns what the scheduler is given of ``command``; the output is cut to what the context has room for."""
    room = min(info.context_length, command.context_length or info.context_length) - len(prompt.tokens)
    ends = [] if command.ignore_eos else sorted(info.special.ends)
    begun = command.resumed.output if command.resumed is not None else TokenIds()
    if begun and len(begun) >= min(room, command.max_tokens or room):
        message = f"the answer has {len(begun)} tokens already, and there is no room for another"
        raise RequestError(ErrorInfo(ErrorCode.CONTEXT_LENGTH, message))
    return Submit(
        request=command.request,
        tokens=prompt.tokens,
        n=command.n,
        max_tokens=room if command.max_tokens is None else max(1, min(command.max_tokens, room)),
        sampling=command.sampling,
        stop_tokens=ends + command.stop_tokens,
        constraint=replace(constraint, unheld=()) if constraint is not None else None,
        prompt_logprobs=command.prompt_logprobs,
        priority=command.priority,
        client=command.client,
        adapters=command.adapters,
        output=begun,
        tracked=command.tracked,
        speculate=command.most_drafted != 0,
        prediction=prompt.prediction,
        most_drafted=command.most_drafted,
        draft_model=command.draft_model not in NO_DRAFT_MODEL,
        sections=prompt.sections,
    )


def embedding(command: Embed, encoded: EncodedInput) -> Submit:
    """Returns what the scheduler is given of ``command``."""
    return Submit(
        command.request,
        encoded.tokens,
        Task.EMBED,
        normalize=command.normalize,
        client=command.client,
        adapters=command.adapters,
        segment_start=encoded.segment_start,
    )
