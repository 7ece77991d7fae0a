"""``lm-eval`` scoring and generating on a real server, with a task of its own and the server's tokenizer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server

pytestmark = pytest.mark.clients

QUESTIONS = [
    {"q": "The capital of France is", "choices": [" Paris", " Banana", " quickly"], "answer": 0, "text": "Paris"},
    {"q": "One, two, three,", "choices": [" four", " sky", " because"], "answer": 0, "text": "four"},
    {"q": "The opposite of hot is", "choices": [" seven", " cold", " runs"], "answer": 1, "text": "cold"},
    {"q": "Monday, Tuesday,", "choices": [" apple", " of", " Wednesday"], "answer": 2, "text": "Wednesday"},
]
CHOOSE = """
task: choose
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: choices
doc_to_target: answer
target_delimiter: ""
metric_list: [{metric: acc}]
"""
CONTINUE = """
task: continue
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: text
generation_kwargs: {until: ["\\n"], max_gen_toks: 4, temperature: 0}
metric_list: [{metric: exact_match, ignore_punctuation: true}]
"""
ROLL = """
task: roll
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{q}}"
metric_list: [{metric: word_perplexity}]
"""


def evaluate(server: Server, place: Path, *arguments: str) -> dict[str, Any]:
    data = place / "questions.jsonl"
    data.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    for name, task in (("choose", CHOOSE), ("continue", CONTINUE), ("roll", ROLL)):
        (place / f"{name}.yaml").write_text(task.replace("DATA", str(data)))
    url = f"base_url={server.url}/v1/completions,model=smollm2,num_concurrent=2,max_retries=1,max_length=512"
    command = [
        sys.executable, "-m", "lm_eval", "run", "--model", "local-completions",
        "--include_path", str(place), "--output_path", str(place / "out"), *arguments,
    ]  # fmt: skip
    at = command.index("--model_args") + 1
    command[at] = f"{url},{command[at]}"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(place / "cache")}
    done = subprocess.run(command, env={**os.environ, **offline}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    (found,) = (place / "out").rglob("results_*.json")
    results: dict[str, Any] = json.loads(found.read_text())["results"]
    return results


def test_answers_are_scored_by_their_tokens(server: Server, tmp_path: Path) -> None:
    """``auto`` finds the server's own tokenizer, and prompts are sent as token ids."""
    results = evaluate(server, tmp_path, "--tasks", "choose,roll,continue", "--model_args", "tokenizer_backend=auto")
    assert results["choose"]["acc,none"] == 1.0
    assert 1 < results["roll"]["word_perplexity,none"] < 1e5
    assert "exact_match,none" in results["continue"]


def test_texts_are_continued_without_a_tokenizer(server: Server, tmp_path: Path) -> None:
    results = evaluate(server, tmp_path, "--tasks", "continue", "--model_args", "tokenizer_backend=None")
    assert "exact_match,none" in results["continue"]
