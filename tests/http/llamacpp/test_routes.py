"""llama.cpp's own routes, as its clients ask them, against a scripted runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlxr.runtime.messages.common import Constraint, ConstraintKind, ErrorCode, ErrorInfo, FinishReason
from mlxr.runtime.messages.frontend import Catalog, Delta, Deltas, Failed, Finished, Started
from mlxr.runtime.messages.tokenizer import FillPrompt, Generate, TextPrompt, TokenPrompt
from tests.http.cases.plain import HI
from tests.http.rig import ENGINE, USAGE, Rig, able, ask, embedded, rig, words

pytestmark = pytest.mark.anyio


async def post(r: Rig, path: str, **body: Any) -> tuple[int, Any]:
    status, answer, _ = await ask(r, "POST", path, json={"model": "tiny", **body})
    return status, answer


def events(text: str) -> list[Any]:
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line]


async def test_a_completion_answers_whole_with_llamacpps_defaults(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, made = await post(r, "/completion", prompt="Hi", n_predict=-1)
        assert (status, made["content"], made["stop"], made["stop_type"]) == (200, "Hello wörld", True, "eos")
        assert (made["tokens_predicted"], made["tokens_evaluated"], made["prompt"]) == (3, 5, "Hi")
        timings = made["timings"]
        assert (timings["cache_n"], timings["prompt_n"], timings["predicted_n"]) == (2, 3, 3)
        assert (timings["prompt_ms"], timings["predicted_per_second"]) == (10.0, 150.0)
        (command,) = r.got(Generate)
        sampling = command.sampling
        assert command.prompt == TextPrompt("Hi")
        assert (sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p) == (0.8, 40, 0.95, 0.05)
        assert (sampling.penalty_window, sampling.penalize_prompt, command.max_tokens) == (64, True, None)


async def test_a_stream_ends_with_its_statistics_and_without_a_word_more(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        _, text = await post(r, "/completion", prompt=[1, 2], stream=True)
        *pieces, last = events(text)
        assert [piece["content"] for piece in pieces] == ["Hel", "lo", " wörld"]
        assert [piece["tokens_predicted"] for piece in pieces] == [1, 2, 3]
        assert not any(piece["stop"] for piece in pieces)
        assert (last["content"], last["stop"], last["generation_settings"]["n_predict"]) == ("", True, -1)
        assert r.got(Generate)[0].prompt == TokenPrompt([1, 2])


@pytest.mark.parametrize(
    ("finish", "stop", "expected"),
    [(FinishReason.LENGTH, None, ("limit", "")), (FinishReason.STOP, "END", ("word", "END"))],
)
async def test_why_it_stopped(tmp_path: Path, finish: FinishReason, stop: str | None, expected: Any) -> None:
    async with rig(tmp_path) as r:
        last = Delta(0, text="a", finish=finish, stop_string=stop)
        r.on_generate = lambda m: [
            Started(m.request, 5), Deltas([Delta(m.request, **_fields(last))]), Finished(m.request, USAGE)
        ]  # fmt: skip
        _, made = await post(r, "/completion", prompt="Hi", stop=["END"])
        assert (made["stop_type"], made["stopping_word"]) == expected


def _fields(delta: Delta) -> dict[str, Any]:
    return {name: getattr(delta, name) for name in ("text", "finish", "stop_string")}


async def test_a_gap_is_filled_between_the_texts_of_an_editor(tmp_path: Path) -> None:
    """As llama.vim asks, which reads just the fields that it names."""
    asked = {
        "input_prefix": "def f(\n", "input_suffix": "\n    return", "prompt": "    x", "n_predict": 9, "stop": ["\n"],
        "input_extra": [{"text": "A = 1", "filename": "a.py"}], "samplers": ["top_k", "infill"], "t_max_predict_ms": 99,
        "cache_prompt": True, "response_fields": ["content", "timings/prompt_n", "truncated", "none/such"],
    }  # fmt: skip
    async with rig(tmp_path) as r:
        status, made, headers = await ask(r, "POST", "/infill", json=asked)
        assert (status, made) == (200, {"content": "Hello wörld", "timings/prompt_n": 3, "truncated": False})
        assert headers["X-Mlxr-Ignored"] == "samplers, t_max_predict_ms"
        (command,) = r.got(Generate)
        before = "\n\n--- snippet ---\n\na.py\nA = 1\n\n--- snippet ---\n\ndef f(\n    x"
        assert command.prompt == FillPrompt(before, "\n    return")
        assert (command.max_tokens, command.stop_strings) == (9, ["\n"])


async def test_a_model_that_fills_no_gaps_says_so_in_llamacpps_shape(tmp_path: Path) -> None:
    async with rig(tmp_path, Catalog([able("completion")], [ENGINE])) as r:
        status, made = await post(r, "/infill", input_prefix="a", input_suffix="b")
        assert (status, made["error"]["code"], made["error"]["type"]) == (400, 400, "invalid_request_error")
        r.on_generate = lambda m: [*words(m, "a")[:2], Failed(m.request, ErrorInfo(ErrorCode.ENGINE_FAILED, "gone"))]
        _, text = await post(r, "/completion", prompt="Hi", stream=True)
        assert events(text)[-1] == {"error": {"code": 500, "message": "gone", "type": "server_error"}}


async def test_an_answer_is_held_to_one_format(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await post(r, "/completion", prompt="Hi", grammar='root ::= "a"', logit_bias=[[5, False], [6, -1.5]])
        await post(r, "/completion", prompt="Hi", json_schema={"type": "object"})
        first, second = r.got(Generate)
        assert first.constraint == Constraint(ConstraintKind.LARK, 'root ::= "a"', field="grammar")
        assert second.constraint is not None
        assert (second.constraint.kind, second.constraint.field) == (ConstraintKind.JSON_SCHEMA, "json_schema")
        assert not second.constraint.strict
        assert first.sampling.logit_bias[6] == -1.5
        assert first.sampling.logit_bias[5] < -100
        status, _ = await post(r, "/completion", prompt="Hi", grammar='root ::= "a"', json_schema={})
        assert status == 400


async def test_a_conversation_is_shown_as_the_prompt_that_it_becomes(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        assert await post(r, "/apply-template", messages=HI) == (200, {"prompt": "Hi"})


async def test_the_server_tells_of_its_model(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        _, made, _ = await ask(r, "GET", "/props")
        assert made["default_generation_settings"]["n_ctx"] == 2048
        assert made["default_generation_settings"]["params"]["temperature"] == 0.8
        assert (made["model_alias"], made["model_path"]) == ("tiny", "/models/tiny.gguf")
        assert made["chat_template"] == "{{ messages }}"
        assert (await ask(r, "GET", "/props?model=nobody"))[0] == 404
