"""What speculation gives: the same server with it and without it, and llama.cpp with its bindings' own.

Each side answers the same requests in turn, on servers of their own. Lookup in other requests is off, since every round
asks the same again. A figure is tokens a second, from the usage and the seconds since the first token.
``MLXR_SPECULATION_ONLY`` names words of the cases that are run, with commas.

A draft model is measured on models that say what SmolLM2 says and take several times as long (``padded_model.py``),
with SmolLM2 in other bits as the draft model: what it gives where nothing repeats. One takes so little longer that
drafts hardly pay; the other is to its draft model as a model of 7 billion parameters is to one of half a billion.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import REPEAT, in_turn, progress
from bench.padded_model import padded
from bench.peers.worker import Worker, importable
from bench.report import Figure, Report
from bench.server import ROOT, Server, serving
from mlxr.models.quantization.encoding import write_model
from mlxr.models.quantization.file_types import file_type
from mlxr.models.quantization.quantize import Model, plan
from tests.models import model_path

THREADS = 2
MODEL = "smollm2"
PEER_TOKENS = 96
"""Fewer beside llama.cpp, whose bindings sample in Python."""

OFF = ["-m", "mlxr", "up", "--set", "speculation.enabled=false"]
ON = ["-m", "mlxr", "up", "--set", "speculation.shared=false"]

SOURCE = (ROOT / "mlxr" / "actors" / "scheduler" / "planner.py").read_text()[:3000]
ARTICLE = (ROOT / "docs" / "security.md").read_text()[:3000]

COPY = (
    "<|im_start|>user\nRepeat this file word for word, with the class called `StepPlanner`:\n"
    f"```python\n{SOURCE}\n```<|im_end|>\n<|im_start|>assistant\n```python\n{SOURCE[:200]}"
)
QUOTES = (
    "<|im_start|>user\nSummarise this article in a few sentences, and quote the sentences that matter word for word:\n"
    f"{ARTICLE}<|im_end|>\n<|im_start|>assistant\n"
)
PEOPLE = "<|im_start|>user\nMake up three people with their addresses, as JSON.<|im_end|>\n<|im_start|>assistant\n"
PERSON = {
    "type": "object",
    "properties": {
        "first_name": {"type": "string", "maxLength": 12},
        "family_name": {"type": "string", "maxLength": 12},
        "age_in_years": {"type": "integer", "minimum": 1, "maximum": 99},
        "street_and_number": {"type": "string", "maxLength": 20},
        "city": {"type": "string", "maxLength": 12},
        "marital_status": {"enum": ["single", "married", "divorced", "widowed"]},
    },
    "required": ["first_name", "family_name", "age_in_years", "street_and_number", "city", "marital_status"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"people": {"type": "array", "items": PERSON, "minItems": 3, "maxItems": 3}},
    "required": ["people"],
    "additionalProperties": False,
}
DEEPER, DEEPEST = 5, 12
"""How many times as many layers as SmolLM2 the models have that a draft model is measured on."""

DRAFT_TYPE = "Q4_0"

SUBJECTS = ("lighthouse", "bicycle", "violin", "potato", "glacier", "umbrella", "printing press", "honey bee")


@dataclass(frozen=True, slots=True)
class Case:
    """Requests to ``/v1/completions``, ``streams`` at once.

    Attributes:
        fields: of each, beside its seed.
        wanted: how many times the speed without speculation.
        peer: llama.cpp can be asked the same.
    """

    name: str
    fields: Callable[[int], dict[str, Any]]
    wanted: float
    streams: int = 1
    peer: bool = False


def copied(stream: int) -> dict[str, Any]:
    return {"prompt": COPY, "max_tokens": 240, "temperature": 0, "ignore_eos": True}


def forced(stream: int) -> dict[str, Any]:
    """A text that is in the prompt, and that nothing else is allowed to be."""
    return {"prompt": COPY, "max_tokens": 240, "temperature": 0, "guided_choice": [SOURCE[200:1400]]}


def quoted(stream: int) -> dict[str, Any]:
    return {"prompt": QUOTES, "max_tokens": 200, "temperature": 0}


def structured(stream: int) -> dict[str, Any]:
    return {"prompt": PEOPLE, "max_tokens": 240, "temperature": 0, "guided_json": SCHEMA}


def prose(stream: int) -> dict[str, Any]:
    subject = SUBJECTS[stream % len(SUBJECTS)]
    return {"prompt": f"The history of the {subject} begins", "max_tokens": 128, "temperature": 1, "ignore_eos": True}


CASES = (
    Case("copying a file with an edit", copied, 2.5, peer=True),
    Case("a text that is forced", forced, 2.5),
    Case("a summary with quotations", quoted, 1.5),
    Case("JSON by a schema", structured, 1.5),
    Case("prose, one stream", prose, 0.98, peer=True),
    Case("prose, 4 streams", prose, 0.98, 4),
    Case("prose, 16 streams", prose, 0.98, 16),
)


def greedy(stream: int) -> dict[str, Any]:
    return {**prose(stream), "temperature": 0}


DRAFTED = (
    Case("prose with a draft model, greedy", greedy, 0.98),
    Case("prose with a draft model", prose, 0.98),
    Case("prose with a draft model, 4 streams", prose, 0.98, 4),
    Case("prose with a draft model, 16 streams", prose, 0.98, 16),
    Case("a file with an edit, with a draft model", copied, 2.5),
)
DRAFTED_DEEPEST = tuple(replace(case, name=f"{case.name} ({DEEPEST} times as deep)") for case in DRAFTED[:2])


@dataclass(slots=True)
class Side:
    """One of our servers, and what it answered to the case at hand."""

    server: Server
    texts: list[str] = field(default_factory=list)

    def run(self, case: Case) -> float:
        with ThreadPoolExecutor(case.streams) as pool:
            answers = list(pool.map(partial(self._ask, case), range(case.streams)))
        self.texts = [text for text, _, _ in answers]
        return sum(tokens for _, tokens, _ in answers) / max(seconds for _, _, seconds in answers)

    def _ask(self, case: Case, stream: int) -> tuple[str, int, float]:
        """The text, how many tokens it has and the seconds since the first of them."""
        body = {"stream": True, "stream_options": {"include_usage": True}, "seed": stream + 1, **case.fields(stream)}
        return streamed(self.server, body)


def streamed(server: Server, body: dict[str, Any]) -> tuple[str, int, float]:
    data = json.dumps({"model": server.model, **body}).encode()
    url = f"http://127.0.0.1:{server.port}/v1/completions"
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    text, tokens, first = "", 0, 0.0
    with urllib.request.urlopen(request, timeout=300) as response:
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            first = first or time.perf_counter()
            chunk = json.loads(line[6:])
            if "error" in chunk:
                raise RuntimeError(chunk["error"]["message"])
            text += "".join(choice["text"] for choice in chunk["choices"])
            tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
    return text, tokens, time.perf_counter() - first


def benchmark(repeat: int = REPEAT) -> Report:
    path = model_path(MODEL)
    only = os.environ.get("MLXR_SPECULATION_ONLY", "").split(",")
    cases = [case for case in CASES if any(word in case.name for word in only)]
    drafted = [case for case in DRAFTED if any(word in case.name for word in only)]
    deepest = [case for case in DRAFTED_DEEPEST if any(word in case.name for word in only)]
    report = Report(f"Tokens a second of SmolLM2 with speculation, {THREADS} threads: beside none, and llama.cpp's")
    if cases:
        report.figures += with_lookup(path, cases, repeat)
    if any(case.peer for case in cases) and not importable("llama_cpp"):
        report.notes.append("llama.cpp is not installed (pip install llama-cpp-python)")
    if drafted:
        report.figures += with_draft_model(path, DEEPER, drafted, repeat)
    if deepest:
        report.figures += with_draft_model(path, DEEPEST, deepest, repeat)
    return report


def with_lookup(path: Path, cases: list[Case], repeat: int) -> list[Figure]:
    figures: list[Figure] = []
    with serving(OFF, path) as off, serving(ON, path) as on:
        for case in cases:
            figures += beside_none(case, Side(off), Side(on), repeat)
        if any(case.peer for case in cases) and importable("llama_cpp"):
            figures += beside_llama_cpp(Side(on), path, cases, repeat)
    return figures


def with_draft_model(path: Path, deeper: int, cases: list[Case], repeat: int) -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="mlxr-bench-") as folder:
        deep, draft = padded(path, Path(folder) / "deep.gguf", deeper), Path(folder) / "draft.gguf"
        made = plan(Model.of_gguf(path), file_type(DRAFT_TYPE), requantize=True)
        with draft.open("wb") as file:
            write_model(file, made.pairs, made.outputs, THREADS, lambda done, total: None)
        on = [*ON, "--set", f"speculation.draft_model={draft}"]
        with serving(OFF, deep) as plain, serving(on, deep) as drafting:
            for case in cases:
                figures += beside_none(case, Side(plain), Side(drafting), repeat)
    return figures


def beside_none(case: Case, off: Side, on: Side, repeat: int) -> list[Figure]:
    """Raises ``RuntimeError`` where speculation changes a text."""
    progress(case.name)
    before = {name: on.server.metric(f"mlxr_{name}_tokens_total") for name in ("drafted", "accepted")}
    found = in_turn({"on": partial(on.run, case), "off": partial(off.run, case)}, repeat)
    if on.texts != off.texts:
        raise RuntimeError(f"{case.name}: the text is another with speculation")
    drafted, accepted = (on.server.metric(f"mlxr_{name}_tokens_total") - count for name, count in before.items())
    return [
        Figure(f"{case.name}, beside none", found["on"], "tok/s", case.wanted, found["off"]),
        Figure(f"{case.name}: drafted tokens that were right", 100 * accepted / drafted if drafted else 0.0, "%"),
    ]


def beside_llama_cpp(on: Side, path: Path, cases: list[Case], repeat: int) -> list[Figure]:
    figures: list[Figure] = []
    with Worker("bench.peers.llama_cpp_lookup", str(path), str(THREADS)) as theirs:
        for case in (case for case in cases if case.peer):
            progress(f"{case.name}, llama.cpp")
            fields = {**case.fields(0), "temperature": 0}
            greedy = Case(case.name, lambda stream, fields=fields: fields, case.wanted)  # type: ignore[misc]
            fields["max_tokens"] = PEER_TOKENS
            prompt, tokens = fields["prompt"], fields["max_tokens"]
            sides = {"ours": partial(on.run, greedy), "theirs": partial(theirs.measure, "generate", prompt, tokens)}
            found = in_turn(sides, repeat)
            figures.append(Figure(f"{case.name} (llama.cpp)", found["ours"], "tok/s", 1.0, found["theirs"]))
    return figures
