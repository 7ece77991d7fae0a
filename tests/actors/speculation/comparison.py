"""Runs the same requests with speculation and without, and compares all that their clients get."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.scheduler.outcome import Counters
from mlxr.actors.scheduler.speculation import Speculation
from mlxr.metal.backend import Backend
from mlxr.models.constraints import Vocabulary
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.loading import load_model
from mlxr.models.tokenizers import load_gguf
from mlxr.runtime.messages.common import ConstraintKind, FinishReason, sequence_id
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.speculation.drafters import informed
from tests.actors.speculation.engine import Answer, Loaded, TextEngine, outcome
from tests.actors.speculation.requests import SCHEMA, Asked, RandomRequests
from tests.models import model_path

STREAMS = 16


@dataclass
class Run:
    """What became of the requests of one run."""

    answers: dict[int, Answer] = field(default_factory=dict)
    ends: dict[int, str] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    crashes: int = 0


@dataclass
class Compared:
    """The result: ``differing`` and ``invalid`` name requests."""

    differing: list[str]
    invalid: list[str]
    plain: Run
    speculating: Run


def loaded(backend: Backend, pool_tokens: int = 640) -> Loaded:
    path = model_path("smollm2")
    model = load_model(path, backend)
    tokenizer = load_gguf(GGUFFile.open(path).metadata)
    compiler = Compiler(lambda: Vocabulary(tokenizer, model.vocab_size))
    return Loaded(model, backend, tokenizer, compiler, pool_tokens)


def compare(
    loaded: Loaded, count: int, seed: int, crash_every: int, speculation: Speculation | None = None
) -> Compared:
    """Both runs see another order of messages, and executors die at other times. ``speculation``: else drafts of every
    kind, by what was said without."""
    make = RandomRequests(loaded.tokenizer, loaded.model.vocab_size, seed)
    asked = {number: make.make(number) for number in range(1, count + 1)}
    plain = run(loaded, asked, None, random.Random(seed), crash_every)
    outputs = {id: answer.tokens for id, answer in plain.answers.items()}
    speculation = speculation or informed(outputs, loaded.model.vocab_size, seed)
    speculating = run(loaded, asked, speculation, random.Random(seed + 1), crash_every)
    differing = [found for number, each in asked.items() if (found := _difference(number, each, plain, speculating))]
    invalid = [found for number, each in asked.items() if (found := _fault(number, each, speculating))]
    return Compared(differing, invalid, plain, speculating)


def run(
    loaded: Loaded, asked: dict[int, Asked], speculation: Speculation | None, choose: random.Random, crash_every: int
) -> Run:
    """Keeps ``STREAMS`` requests open; the executor is killed once in ``crash_every`` of them."""
    engine = TextEngine(loaded, choose.randrange, speculation)
    result = Run(answers=engine.answers, counters=engine.scheduler.counters)
    waiting, open_requests = list(asked), set[int]()
    next_crash = crash_every // 2
    while waiting or open_requests:
        while waiting and len(open_requests) < STREAMS:
            number = waiting.pop(0)
            open_requests.add(number)
            engine.ask(number, asked[number])
        moved = engine.move()
        for number in [n for n in open_requests if _left(engine, n, asked[n])]:
            engine.cancel(number)
            open_requests.discard(number)
            result.ends[number] = "cancelled"
        done = {number for number in open_requests if number in engine.ended}
        assert moved or done, "nothing moves any more"
        open_requests -= done
        ended = len(asked) - len(waiting) - len(open_requests)
        if ended >= next_crash and open_requests and engine.may_crash and not choose.randrange(8):
            engine.crash()
            result.crashes += 1
            next_crash += crash_every
    engine.settle()
    for number in asked:
        end = outcome(engine, number)
        if isinstance(end, RequestDone):
            result.ends[number] = "done"
        elif end is not None:
            result.ends[number] = f"failed: {end.error.message}"
    assert engine.placement is not None
    assert engine.placement.held == 0
    return result


def _left(engine: TextEngine, number: int, asked: Asked) -> bool:
    after = asked.cancelled_after
    return after is not None and len(engine.output.get(sequence_id(number, 0), [])) >= after


def _difference(number: int, asked: Asked, plain: Run, speculating: Run) -> str:
    ends = plain.ends[number], speculating.ends[number]
    if "cancelled" in ends:
        return ""  # How much came before its client had left is chance.
    if ends[0] != ends[1]:
        return f"{number}: {ends[0]} and {ends[1]}"
    for index in range(asked.submit.n):
        id = sequence_id(number, index)
        if plain.answers.get(id) != speculating.answers.get(id):
            return f"{number}.{index}: {plain.answers.get(id)} and {speculating.answers.get(id)}"
    return ""


def _fault(number: int, asked: Asked, run: Run) -> str:
    """What is wrong with an answer, whatever it was without speculation."""
    if run.ends[number] not in ("done", "cancelled"):
        return f"{number}: {run.ends[number]}"
    held = asked.command.constraint
    tools = asked.submit.constraint is not None and asked.spec.tools
    if (
        held is None
        or held.kind not in (ConstraintKind.JSON_SCHEMA, ConstraintKind.JSON_OBJECT)
        or tools
        or asked.command.stop_tokens
    ):
        return ""
    for index in range(asked.submit.n):
        parts = run.answers.get(sequence_id(number, index), Answer()).parts
        text = "".join(part.text for part in parts if not isinstance(part, tuple))
        last = parts[-1] if parts else None
        if last is None or isinstance(last, tuple) or last.finish is not FinishReason.STOP or last.stop_string:
            continue
        try:
            value = json.loads(text.rpartition("</think>")[2])
        except ValueError:
            return f"{number}.{index}: no JSON: {text!r}"
        if held.source == SCHEMA and {"name", "tags", "age"} != value.keys():
            return f"{number}.{index}: not by its schema: {text!r}"
    return ""
