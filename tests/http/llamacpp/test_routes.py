"""llama.cpp's own routes, as its clients ask them, against a scripted runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mlxr.runtime.config_sources import Setting
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ErrorCode, ErrorInfo, FinishReason, TextLogprob
from mlxr.runtime.messages.frontend import Catalog, Delta, Deltas, EngineStats, Failed, Finished, Started
from mlxr.runtime.messages.tokenizer import FillPrompt, Generate, TextPrompt, TokenPrompt
from mlxr.runtime.model_info import ADAPTER
from tests.http.cases.plain import HI
from tests.http.rig import ENGINE, ENTRY, USAGE, Rig, able, ask, embedded, rig, words

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


async def test_tokens_come_with_their_ids_and_alternatives(tmp_path: Path) -> None:
    token = TextLogprob(7, "a", -0.5, b"a", [("a", -0.5, b"a"), ("b", float("-inf"), b"b")], [7, 8])
    expected = {
        "id": 7, "token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": [
            {"id": 7, "token": "a", "bytes": [97], "logprob": -0.5},
            {"id": 8, "token": "b", "bytes": [98], "logprob": -9999.0},
        ],
    }  # fmt: skip

    def answered(m: Generate) -> list[Any]:
        pieces = [Delta(m.request, text="a", logprobs=[token], tokens=1, ids=[7]), Delta(m.request, tokens=1, ids=[9])]
        last = Delta(m.request, tokens=1, ids=[2], finish=FinishReason.STOP)
        return [Started(m.request, 5), Deltas(pieces), Deltas([last]), Finished(m.request, USAGE)]

    async with rig(tmp_path) as r:
        r.on_generate = answered
        _, made = await post(r, "/completion", prompt="Hi", n_probs=2, return_tokens=True)
        assert (made["tokens"], made["completion_probabilities"]) == ([7, 9, 2], [expected])
        _, text = await post(r, "/completion", prompt="Hi", n_probs=2, stream=True)
        *pieces, last = events(text)
        assert [piece["tokens"] for piece in pieces] == [[7], [9]]
        assert (pieces[0]["completion_probabilities"], "completion_probabilities" in last) == ([expected], False)
        assert (last["content"], last["tokens"]) == ("", [])
        assert [(asked.sampling.logprobs, asked.tracked) for asked in r.got(Generate)] == [(2, True)] * 2
        await post(r, "/completion", prompt="Hi")
        plain = r.got(Generate)[-1]
        assert (plain.sampling.logprobs, plain.tracked) == (None, False)


async def test_adapters_have_numbers_and_names_and_each_request_says_which(tmp_path: Path) -> None:
    adapters = [
        replace(able(ADAPTER), name=name, path=f"/adapters/{name}", fits=fits, aliases=[])
        for name, fits in (("zest", ["tiny"]), ("alien", ["other"]), ("calm", ["tiny"]))
    ]
    async with rig(tmp_path, Catalog([ENTRY, *adapters], [ENGINE])) as r:
        _, listed, _ = await ask(r, "GET", "/lora-adapters")
        assert [(each["id"], each["path"]) for each in listed] == [(0, "/adapters/calm"), (1, "/adapters/zest")]
        await post(r, "/completion", prompt="Hi", lora=[{"id": 1, "scale": 0.5}, {"id": 0}])
        assert [(each.name, each.scale) for each in r.got(Generate)[0].adapters] == [("zest", 0.5)]
        await post(
            r, "/completion", prompt="Hi", adapters=[{"name": "calm", "scale": 2}], lora=[{"id": 1, "scale": 0.5}]
        )
        assert [(each.name, each.scale) for each in r.got(Generate)[1].adapters] == [("calm", 2.0), ("zest", 0.5)]
        status, made = await post(r, "/completion", prompt="Hi", lora=[{"id": 2, "scale": 1}])
        assert (status, "lora[0].id" in made["error"]["message"]) == (400, True)


async def test_places_in_the_batch_are_its_slots(tmp_path: Path) -> None:
    places = Setting("scheduler.max_sequences", 3, "default", "", 3, "")
    async with rig(tmp_path, configuration=[places]) as r:
        r.tell(stats(running=2))
        await r.until(r.actor.gateway.stats)
        _, made, _ = await ask(r, "GET", "/slots?fail_on_no_slot=1")
        assert [slot["is_processing"] for slot in made] == [True, True, False]
        assert [slot["id"] for slot in made] == [0, 1, 2]
        assert {slot["n_ctx"] for slot in made} == {2048}
        assert (await ask(r, "GET", "/props"))[1]["total_slots"] == 3
        r.tell(stats(running=3))
        await r.until(lambda: r.actor.gateway.stats()[0].running == 3)
        assert (await ask(r, "GET", "/slots"))[0] == 200
        status, made, headers = await ask(r, "GET", "/slots?fail_on_no_slot=1")
        assert (status, made["error"]["type"], headers["Retry-After"]) == (503, "unavailable_error", "1")


def stats(running: int) -> EngineStats:
    return EngineStats(
        engine=ENGINE.engine, running=running, waiting=0, pages_used=0, pages_cached=0, pages_total=9, steps=0,
        prompt_tokens=0, generated_tokens=0, cached_tokens=0, preemptions=0, executor_restarts=0,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/slots/0?action=save", "/props", "/lora-adapters"])
async def test_what_would_change_others_requests_is_refused_in_words(tmp_path: Path, path: str) -> None:
    async with rig(tmp_path) as r:
        status, made, _ = await ask(r, "POST", path, json=[])
        assert (status, made["error"]["type"]) == (501, "not_supported_error")


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        (None, [2 / 102.48, 97 / 102.48, 33 / 102.48]),
        (-1, [2, 97, 33]),
        (1, [2 / 132, 97 / 132, 33 / 132]),
        (0, [32760 * 2 / 97, 32760, 32760 * 33 / 97]),
    ],
)
async def test_a_text_is_embedded_by_the_norm_that_is_asked_for(
    tmp_path: Path, norm: int | None, expected: list[float]
) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        _, made = await post(r, "/embedding", content="a!", **({} if norm is None else {"embd_normalize": norm}))
        ((index, (vector,)),) = [(each["index"], each["embedding"]) for each in made]
        assert (index, vector) == (0, pytest.approx(expected, rel=1e-4))


async def test_a_prompt_that_is_too_long_says_so_in_llamacpps_word(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda m: [Failed(m.request, ErrorInfo(ErrorCode.CONTEXT_LENGTH, "too long"))]
        status, made = await post(r, "/completion", prompt="Hi")
        assert (status, made["error"]["type"]) == (400, "exceed_context_size_error")


async def test_the_server_tells_of_its_model(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        _, made, _ = await ask(r, "GET", "/props")
        assert made["default_generation_settings"]["n_ctx"] == 2048
        assert made["default_generation_settings"]["params"]["temperature"] == 0.8
        assert (made["model_alias"], made["model_path"]) == ("tiny", "/models/tiny.gguf")
        assert made["chat_template"] == "{{ messages }}"
        assert made["chat_template_caps"]["supports_tools"]  # without it Zed offers no tools
        assert (await ask(r, "GET", "/props?model=nobody"))[0] == 404
