"""Random requests of every kind that changes how tokens are chosen or read."""

from __future__ import annotations

import random
from dataclasses import dataclass

from msgspec import Raw
from msgspec.structs import replace

from mlxr.actors.tokenizer.answer_constraint import answer_constraint
from mlxr.actors.tokenizer.live_request import generation
from mlxr.actors.tokenizer.output_spec import OutputSpec
from mlxr.actors.tokenizer.output_stream import OutputStream
from mlxr.actors.tokenizer.sandbox_results import EncodedPrompt, TokenizerInfo
from mlxr.models.chat.families import TemplateSigns
from mlxr.models.constraints import Vocabulary
from mlxr.models.tokenizers import Tokenizer
from mlxr.runtime.messages.common import Constraint, ConstraintKind, Sampling
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import ChatMessage, ChatPrompt, Generate, Tool

SIGNS = TemplateSigns("<tool_call> <think> </think>")
CONTEXT = 2048

TEXTS = [
    "Repeat after me, word by word: the quick brown fox jumps over the lazy dog, the quick brown fox sleeps.",
    "def area(width, height):\n    return width * height\n\ndef volume(width, height, depth):\n    return width",
    "One, two, three, four. One, two, three, four. One, two, three, four. One, two,",
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do.",
    '{"name": "Ann", "age": 31}, {"name": "Bob", "age": 42}, {"name": "Cid", "age": 53}, write more of these',
]
QUESTIONS = ["Go on.", "Say it again.", "What is it about?", "List three things.", "Why?"]

TOOLS = [
    Tool(
        "add",
        "",
        Raw(
            b'{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},'
            b'"required":["a","b"],"additionalProperties":false}'
        ),
    ),
    Tool("now"),
]
SCHEMA = (
    '{"type":"object","properties":{"name":{"type":"string","maxLength":12},"tags":{"type":"array","maxItems":3,'
    '"items":{"enum":["red","green","blue"]}},"age":{"type":"integer"}},"required":["name","tags","age"],'
    '"additionalProperties":false}'
)
FORMATS = [
    Constraint(ConstraintKind.JSON_SCHEMA, SCHEMA, field="response_format"),
    Constraint(ConstraintKind.JSON_OBJECT, field="response_format"),
    Constraint(ConstraintKind.REGEX, "(yes|no|maybe)( [a-z]{1,6}){0,5}", field="regex"),
    Constraint(ConstraintKind.LARK, 'start: item+\nitem: "- " /[a-z ]{3,9}/ "\\n"', field="grammar"),
]


@dataclass
class Asked:
    """One request: what is submitted, and how its answers are read.

    Attributes:
        cancelled_after: tokens of its first choice behind which its client leaves; None where it stays.
    """

    command: Generate
    submit: Submit
    spec: OutputSpec
    cancelled_after: int | None

    def streams(self, tokenizer: Tokenizer) -> list[OutputStream]:
        return [self.spec.stream(index, tokenizer) for index in range(self.submit.n)]


class RandomRequests:
    """Makes requests, the same for the same seed."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, seed: int) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = Vocabulary(tokenizer, vocab_size)
        self._random = random.Random(seed)
        none = memoryview(b"")
        self._info = TokenizerInfo(tokenizer.special, none, none, tokenizer.strips_space, SIGNS, CONTEXT)

    def make(self, number: int) -> Asked:
        pick = self._random
        prompt = self._prompt()
        tools = [] if pick.random() > 0.2 else TOOLS
        chat = ChatPrompt(
            [ChatMessage("user", prompt)],
            tools=tools,
            tool_choice=pick.choice(["auto", "required", "add"]) if tools else "auto",
            parallel_tool_calls=pick.random() < 0.5,
            reasoning_budget=pick.choice([None, None, None, 0, 5]),
        )
        command = Generate(
            number,
            chat,
            sampling=self._sampling(),
            n=pick.choice([1, 1, 1, 1, 2, 3]),
            max_tokens=pick.choice([1, 12, 40, 80, 120]),
            stop_strings=pick.choice([[], [], [], [], ["dog", "\n\n\n"], [". "], ["o", "zebra"]]),
            stop_tokens=pick.choice([[], [], [], [], [28], [100, 260]]),
            ignore_eos=pick.random() < 0.6,
            constraint=pick.choice([None, None, None, *(FORMATS[:2] if tools else FORMATS)]),
            split_reasoning=pick.random() < 0.8,
            tracked=pick.random() < 0.1,
        )
        text = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n" + (
            "<think>\n" if pick.random() < 0.2 else ""
        )
        encoded = EncodedPrompt(TokenIds.of(self._tokenizer.encode(text)), in_reasoning=text.endswith("<think>\n"))
        held = answer_constraint(command, SIGNS, self._tokenizer, self._vocabulary, in_reasoning=encoded.in_reasoning)
        submit = generation(command, encoded, held, self._info)
        submit = replace(submit, speculate=pick.random() < 0.9)
        leaves = pick.randint(1, 20) if pick.random() < 0.05 else None
        return Asked(command, submit, OutputSpec.of(command, SIGNS, encoded), leaves)

    def _prompt(self) -> str:
        """Beginnings repeat, so that prompts share pages."""
        pick = self._random
        return " ".join([pick.choice(TEXTS), *(pick.choice(QUESTIONS) for _ in range(pick.randint(0, 2)))])

    def _sampling(self) -> Sampling:
        pick = self._random
        penalised = pick.random() < 0.3
        return Sampling(
            temperature=pick.choice([0.0, 0.0, 0.3, 0.8, 1.2]),
            top_k=pick.choice([None, None, 1, 5, 40]),
            top_p=pick.choice([1.0, 1.0, 0.9]),
            min_p=pick.choice([0.0, 0.0, 0.05]),
            typical_p=pick.choice([1.0, 1.0, 1.0, 0.9]),
            repetition_penalty=pick.choice([1.0, 1.1, 1.3]) if penalised else 1.0,
            presence_penalty=pick.choice([0.0, 0.5]) if penalised else 0.0,
            frequency_penalty=pick.choice([0.0, 0.4]) if penalised else 0.0,
            penalize_prompt=pick.random() < 0.3,
            penalty_window=pick.choice([None, 8, 64]),
            logit_bias=pick.choice([{}, {}, {}, {28: 2.0, 260: -3.0}]),
            seed=pick.randint(0, 1 << 40),
            logprobs=pick.choice([None, None, 0, 3]),
        )
