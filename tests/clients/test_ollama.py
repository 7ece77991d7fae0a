"""The ``ollama`` package on a real server: chats, streams, formats, tools, errors."""

from __future__ import annotations

import json

import numpy as np
import ollama
import pytest

from tests.clients.asking import PARIS, SKY, TOOLS, WEATHER, City
from tests.clients.vectors import ENOUGH, TEXTS, likeness

EXACT = {"temperature": 0, "num_predict": 12}


@pytest.mark.parametrize("model", ["smollm2", "gemma3"])
def test_a_stream_says_what_the_whole_answer_says(ollama_client: ollama.Client, model: str) -> None:
    whole = ollama_client.chat(model, SKY, options=EXACT)
    parts = list(ollama_client.chat(model, SKY, options=EXACT, stream=True))
    assert "".join(part.message.content for part in parts) == whole.message.content
    last = parts[-1]
    assert last.done
    assert last.done_reason == whole.done_reason
    assert last.eval_count == whole.eval_count > 0
    assert last.prompt_eval_count == whole.prompt_eval_count > 0
    for duration in (last.total_duration, last.load_duration, last.prompt_eval_duration, last.eval_duration):
        assert duration >= 1


def test_a_format_is_kept(ollama_client: ollama.Client) -> None:
    options = {"temperature": 1.2, "seed": 3, "num_predict": 90}
    made = ollama_client.chat("smollm2", PARIS, format=City.model_json_schema(), options=options)
    assert City.model_validate_json(made.message.content)
    parts = ollama_client.generate(
        "smollm2", "Describe Paris.", format=City.model_json_schema(), options=options, stream=True
    )
    assert City.model_validate_json("".join(part.response for part in parts))
    loose = ollama_client.generate("gemma3", "Describe Paris as JSON.", format="json", options=EXACT)
    assert loose.response.startswith("{")


def test_tools_are_offered_and_results_fed_back(ollama_client: ollama.Client) -> None:
    called = {"function": {"name": "get_weather", "arguments": {"city": "Paris", "unit": "c"}}}
    messages = [
        *WEATHER,
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "tool_name": "get_weather", "content": "It is snowing in Paris, -3 degrees."},
    ]
    answer = ollama_client.chat("smollm2", messages, tools=TOOLS, options={"temperature": 0, "num_predict": 40})
    assert "snow" in answer.message.content


def test_what_a_model_cant_do_is_a_response_error(ollama_client: ollama.Client) -> None:
    for fields in ({"think": True}, {"tools": TOOLS, "model": "gemma3"}, {"model": "minilm"}):
        with pytest.raises(ollama.ResponseError, match="does not support") as raised:
            ollama_client.chat(**{"model": "smollm2", "messages": SKY, **fields})
        assert raised.value.status_code == 400
    for missing in (ollama_client.show, ollama_client.delete, ollama_client.generate):
        with pytest.raises(ollama.ResponseError, match="not found") as raised:
            missing("nobody")
        assert raised.value.status_code == 404


def test_embeddings_are_those_of_sentence_transformers(ollama_client: ollama.Client) -> None:
    made = ollama_client.embed("minilm", TEXTS)
    given = np.array(made.embeddings)
    assert np.linalg.norm(given, axis=1) == pytest.approx(1, abs=1e-3)
    assert likeness(made.embeddings) > ENOUGH
    assert made.prompt_eval_count > len(TEXTS)
    assert made.total_duration >= 1
    short = ollama_client.embed("minilm", TEXTS[0], dimensions=64).embeddings[0]
    assert len(short) == 64
    assert len(ollama_client.embeddings("minilm", TEXTS[0]).embedding) == 384
    with pytest.raises(ollama.ResponseError, match="256"):
        ollama_client.embed("minilm", "word " * 2000, truncate=False)
    assert ollama_client.embed("minilm", "word " * 2000).prompt_eval_count == 256


def test_models_are_listed_shown_and_running(ollama_client: ollama.Client) -> None:
    ollama_client.generate("smollm2", "Hi", options=EXACT)
    listed = {model.model: model for model in ollama_client.list().models}
    assert {"smollm2:latest", "gemma3:latest", "minilm:latest"} <= set(listed)
    shown = ollama_client.show("smollm2")
    assert shown.modelinfo["general.architecture"] == "llama"
    assert "tools" in shown.capabilities
    assert shown.details.quantization_level == listed["smollm2:latest"].details.quantization_level
    running = {model.model: model for model in ollama_client.ps().models}
    assert running["smollm2:latest"].digest == listed["smollm2:latest"].digest
    assert running["smollm2:latest"].context_length > 0
    assert json.loads(json.dumps(shown.modelinfo))
