"""Reasoning on every surface, with real parts: SmolLM2's weights behind Qwen3's own chat template, and behind one that
opens the reasoning in the prompt. Turns of the kind that is wanted stand before the conversation, and greedy decoding
goes on in their manner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.models import model_path
from tests.models.chat.conversations import DATA
from tests.models.rewrite import with_template
from tests.server import Server, serving

TURN = """<|im_start|>user
Is it {}?<|im_end|>
<|im_start|>assistant
<think>
Hm, let me see.
</think>

Yes.<|im_end|>
"""
MANNER = "".join(TURN.format(word) for word in ("cold", "late", "far", "big"))
QWEN3 = MANNER + (DATA / "qwen3.jinja").read_text()
OPENING = MANNER + (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if tools %}{{ tools }}{% endif %}<|im_start|>assistant\n<think>\n"
)
THOUGHT, SAID = "Hm, let me see.", "Yes."
ASKED = [{"role": "user", "content": "Is it warm?"}]
ARGUMENTS = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": ARGUMENTS}}
FORMATS: dict[str, dict[str, Any]] = {
    "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": ARGUMENTS}}},
    "regex": {"guided_regex": r'\{"city": "(Paris|Rome)"\}'},
    "grammar": {"guided_grammar": 'start: "{" thing "}"\nthing: "\\"city\\": " ("\\"Paris\\"" | "\\"Rome\\"")\n'},
}

MODELS = ("deciding", "opening")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``deciding`` writes ``<think>`` itself, ``opening`` finds it in the prompt; ``plain`` can't reason."""
    home = tmp_path_factory.mktemp("reasoning")
    file = with_template(model_path("smollm2"), QWEN3, home / "deciding.gguf")
    with serving(home, "--threads", "1", "--set", "kv.pool_tokens=4096", models=("smollm2",)) as running:
        for name, more in (("deciding", {}), ("opening", {"template": OPENING})):
            made = running.request("/api/create", {"model": name, "from": str(file), "stream": False, **more})
            assert made == (200, {"status": "success"})
        yield running


def post(server: Server, path: str, **fields: Any) -> Any:
    status, answer = server.request(path, fields)
    assert status == 200, answer
    return answer


def chat(server: Server, model: str, **fields: Any) -> dict[str, Any]:
    """The message of a chat completion."""
    fields = {"temperature": 0, "max_tokens": 40, "messages": ASKED, **fields}
    message: dict[str, Any] = post(server, "/v1/chat/completions", model=model, **fields)["choices"][0]["message"]
    return message


@pytest.mark.parametrize("model", MODELS)
def test_openai_has_reasoning_apart_from_content(server: Server, model: str) -> None:
    fields = {"model": model, "messages": ASKED, "temperature": 0, "max_tokens": 40}
    answer = post(server, "/v1/chat/completions", **fields)
    message = answer["choices"][0]["message"]
    assert (message["reasoning_content"], message["reasoning"], message["content"]) == (THOUGHT, THOUGHT, SAID)
    assert 3 < answer["usage"]["completion_tokens_details"]["reasoning_tokens"] < 12
    deltas = [chunk["choices"][0]["delta"] for chunk in server.stream("", **fields)]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == THOUGHT
    assert "".join(delta.get("content", "") for delta in deltas) == SAID


@pytest.mark.parametrize("model", MODELS)
def test_responses_have_a_reasoning_item(server: Server, model: str) -> None:
    fields = {"model": model, "input": "Is it warm?", "temperature": 0, "max_output_tokens": 40}
    thought, said = post(server, "/v1/responses", **fields)["output"]
    assert (thought["type"], thought["content"][0]["text"], thought["summary"]) == ("reasoning", THOUGHT, [])
    assert said["content"][0]["text"] == SAID
    thought, _ = post(server, "/v1/responses", **fields, reasoning={"summary": "auto"})["output"]
    assert (thought["summary"][0]["text"], thought["content"]) == (THOUGHT, [])


@pytest.mark.parametrize("model", MODELS)
def test_ollama_has_thinking_apart_from_content(server: Server, model: str) -> None:
    options = {"temperature": 0, "num_predict": 40}
    for path, asked in (("/api/chat", {"messages": ASKED}), ("/api/generate", {"prompt": "Is it warm?"})):
        answer = post(server, path, model=model, stream=False, options=options, think=True, **asked)
        told = answer.get("message", answer)
        assert (told["thinking"], told.get("content", told.get("response"))) == (THOUGHT, SAID)
        answer = post(server, path, model=model, stream=False, options=options, think=False, **asked)
        assert "thinking" not in answer.get("message", answer)


@pytest.mark.parametrize("model", MODELS)
def test_anthropic_has_thinking_blocks_within_their_budget(server: Server, model: str) -> None:
    fields = {"model": model, "max_tokens": 40, "temperature": 0, "messages": ASKED}
    for budget, thought in ((1000, THOUGHT), (3, "Hm")):
        thinking = {"type": "enabled", "budget_tokens": budget}
        first, second = post(server, "/v1/messages", **fields, thinking=thinking)["content"]
        assert (first["type"], second) == ("thinking", {"type": "text", "text": SAID})
        assert THOUGHT.startswith(first["thinking"])
        assert first["thinking"].startswith(thought)
    off = post(server, "/v1/messages", **fields, thinking={"type": "disabled"})["content"]
    assert [block["type"] for block in off] == ["text"]


@pytest.mark.parametrize("model", MODELS)
def test_effort_none_leaves_reasoning_out(server: Server, model: str) -> None:
    message = chat(server, model, reasoning_effort="none")
    assert "reasoning" not in message
    assert message["content"]
    assert "think>" not in message["content"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_a_format_holds_for_the_answer_and_not_for_the_reasoning(server: Server, model: str, form: str) -> None:
    message = chat(server, model, **FORMATS[form])
    assert message["reasoning"] == THOUGHT
    assert json.loads(message["content"])["city"] in ("Paris", "Rome")


def test_a_forced_call_comes_after_the_reasoning(server: Server) -> None:
    message = chat(server, "opening", tools=[TOOL], tool_choice="required", parallel_tool_calls=False, max_tokens=60)
    assert (message["reasoning"], message["content"]) == (THOUGHT, None)
    (call,) = message["tool_calls"]
    assert json.loads(call["function"]["arguments"])["city"] in ("Paris", "Rome")


def test_reasoning_that_is_cut_off_leaves_no_marker_behind(server: Server) -> None:
    for model in MODELS:
        thoughts = set()
        for room in range(1, 12):
            message = chat(server, model, max_tokens=room)
            thoughts.add(message.get("reasoning", ""))
            assert THOUGHT.startswith(message.get("reasoning", ""))
            assert SAID.startswith(message["content"])
        assert len(thoughts) > 3, "reasoning was never cut"


def test_what_can_reason_says_so_and_what_cant_refuses_to(server: Server) -> None:
    for name, able in (("deciding", True), ("opening", True), ("smollm2", False)):
        assert ("thinking" in post(server, "/api/show", model=name)["capabilities"]) is able
    status, answer = server.request("/api/chat", {"model": "smollm2", "messages": ASKED, "think": True})
    assert (status, "does not support thinking" in answer["error"]) == (400, True)


def test_an_answer_that_would_end_in_its_reasoning_still_has_what_was_asked_for(server: Server) -> None:
    (end,) = server.request("/tokenize", {"model": "opening", "prompt": "<|im_end|>", "add_special_tokens": False})[1][
        "tokens"
    ]
    eager = {"logit_bias": {str(end): 100}}
    assert chat(server, "opening", **eager)["content"] in (None, "")
    held = chat(server, "opening", **eager, **FORMATS["schema"])
    assert json.loads(held["content"])["city"] in ("Paris", "Rome")
    called = chat(server, "opening", **eager, tools=[TOOL], tool_choice="required")
    assert json.loads(called["tool_calls"][0]["function"]["arguments"])["city"] in ("Paris", "Rome")
