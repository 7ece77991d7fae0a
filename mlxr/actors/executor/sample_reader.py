"""From what a step sampled to messages: which tokens sequences take, and with which log-probabilities."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.launched_step import LaunchedStep
from mlxr.actors.executor.sequences import Sequence, SequenceTable
from mlxr.metal.sampling import SampledRows
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, TokenLogprob
from mlxr.runtime.messages.scheduler import Forced, Sampled, SectionEnded, Verified


class SampleReader:
    """Adds tokens to sequences of ``table``, and has their matchers follow."""

    def __init__(self, table: SequenceTable, constraints: ConstraintTable) -> None:
        self._table = table
        self._constraints = constraints

    def read(self, launched: LaunchedStep) -> tuple[list[Sampled], list[Verified], list[int]]:
        """Returns the tokens that sequences take, what came of drafts, and the sequences that have been forgotten."""
        if launched.sampled is None:
            return [], [], []
        tokens = cast(list[int], launched.sampled.tokens.tolist())
        logprobs: list[TokenLogprob] = []
        if launched.sampled.logprobs is not None:
            logprobs = token_logprobs(launched.sampled, tokens, None)
        result: list[Sampled] = []
        verified: list[Verified] = []
        lost: list[int] = []
        behind = 0  # Entries up to here are of a draft that has been read.
        for index, (id, token) in enumerate(zip(launched.samplers, tokens, strict=True)):
            if index < behind:
                continue
            draft = launched.drafts.get(index)
            behind = index + 1 + len(draft) if draft else behind
            sequence = self._table.get(id)
            if sequence is None:
                lost.append(id)
            elif draft:
                taken = self._read_draft(launched, sequence, index, draft, tokens, logprobs)
                verified.append(Verified(id, len(draft), len(taken) - 1, launched.unread.get(id, 0)))
                result += taken
            else:
                result.append(self._take(sequence, token, logprobs[index] if logprobs else None))
                if id in launched.unread:
                    verified.append(Verified(id, 0, 0, launched.unread[id]))
        return result, verified, lost

    def ended_sections(self, launched: LaunchedStep) -> list[SectionEnded]:
        """Returns where reasoning sections end whose sequences have come there."""
        ended: list[SectionEnded] = []
        for row in sorted(launched.validator.ended) if launched.validator is not None else ():
            sequence = self._table.get(launched.samplers[row])
            if sequence is not None and launched.positions[row] < len(sequence.tokens):
                ended.append(SectionEnded(sequence.id, launched.positions[row] - sequence.prompt_length))
        return ended

    def forced(self, launched: LaunchedStep, sampled: list[Sampled]) -> list[Forced]:
        """Returns what the constraints of sequences leave no choice about behind the tokens just taken."""
        if launched.validator is None:
            return []
        found: list[Forced] = []
        last = {each.sequence: each for each in sampled}
        for id, each in last.items():
            sequence = self._table[id]
            goes_on = each.error is None and not each.finished
            if sequence.foretell and goes_on and (tokens := self._constraints.foretold(sequence)):
                found.append(Forced(id, tokens))
        return found

    def _read_draft(
        self,
        launched: LaunchedStep,
        sequence: Sequence,
        first: int,
        draft: list[int],
        tokens: list[int],
        logprobs: list[TokenLogprob],
    ) -> list[Sampled]:
        """Returns the tokens that a sequence takes of those sampled from entry ``first`` on: as many as it would have
        come to one by one, of which all but the last are the draft's."""
        taken: list[Sampled] = []
        for at in range(len(draft) + 1):
            index, validator = first + at, launched.validator
            error = self._constraints.reach(sequence, index, validator) if at and validator is not None else None
            taken.append(self._take(sequence, tokens[index], logprobs[index] if logprobs else None, error))
            over = taken[-1].error is not None or taken[-1].finished
            if over or at == len(draft) or tokens[index] != draft[at]:
                break
        return taken

    def _take(
        self, sequence: Sequence, token: int, logprob: TokenLogprob | None, error: ErrorInfo | None = None
    ) -> Sampled:
        """Adds a token to its sequence, unless there is an ``error``."""
        wanted = sequence.sampling.logprobs
        if wanted is None:
            logprob = None
        elif logprob is not None and len(logprob.top) > wanted:
            logprob = TokenLogprob(token, logprob.logprob, logprob.top[:wanted])
        if error is None and token < 0:
            error = ErrorInfo(ErrorCode.INTERNAL, "the model's output is not a number")
        finished = False
        if error is None:
            sequence.tokens.append(token)
            error, finished = self._constraints.consume(sequence, token)
        return Sampled(sequence.id, token, logprob, error, finished)


def token_logprobs(rows: SampledRows, tokens: list[int], top: int | None) -> list[TokenLogprob]:
    """Returns log-probabilities as messages have them; ``top`` cuts the list of alternatives."""
    own: list[float] = np.array(rows.logprobs).tolist()
    others: list[list[tuple[int, float]]] = [[] for _ in tokens]
    if rows.top_tokens is not None and rows.top_logprobs is not None:
        ids: NDArray[np.int32] = np.array(rows.top_tokens)
        values: NDArray[np.float32] = np.array(rows.top_logprobs)
        others = [
            list(zip(row_ids, row_values, strict=True))[:top]
            for row_ids, row_values in zip(ids.tolist(), values.tolist(), strict=True)
        ]
    return [TokenLogprob(token, own[i], others[i]) for i, token in enumerate(tokens)]
