"""The ``ollama`` package, unmodified, against a scripted runtime."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest

from mlxr.http.ollama.models import tagged
from mlxr.runtime.messages.catalogue import EngineInfo, HeldMemory
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ErrorCode, ErrorInfo, FinishReason, Message
from mlxr.runtime.messages.frontend import Catalog, Failed, RegistryReply
from mlxr.runtime.messages.registry import (
    CancelCommand,
    CopyModel,
    CreateModel,
    DeleteModel,
    LoadModel,
    PullModel,
    PushModel,
    ShowModel,
    TouchModel,
    UnloadModel,
)
from mlxr.runtime.messages.tokenizer import ChatPrompt, FillPrompt, Generate, TextPrompt, TokenPrompt
from tests.http.rig import ENGINE, ENTRY, Rig, able, embedded, rig, thinking_and_calling, words

ollama = pytest.importorskip("ollama")

HI = [{"role": "user", "content": "Hi"}]


@asynccontextmanager
async def client(directory: Path, catalog: Catalog | None = None, **settings: Any) -> AsyncIterator[tuple[Rig, Any]]:
    async with rig(directory, catalog, **settings) as r, ollama.AsyncClient(host=r.url) as made:
        yield r, made


def success(message: Any, body: bytes = b"null") -> list[Message]:
    return [RegistryReply(message.request, "success", last=True, body=body)]


async def test_a_chat_streams_and_ends_with_its_statistics(tmp_path: Path) -> None:
    async with client(tmp_path) as (_, c):
        parts = [part async for part in await c.chat("tiny", HI, stream=True)]
        assert "".join(part.message.content for part in parts) == "Hello wörld"
        assert [part.done for part in parts] == [False, False, False, True]
        last = parts[-1]
        assert (last.done_reason, last.prompt_eval_count, last.eval_count) == ("stop", 5, 3)
        assert last.prompt_eval_duration == 10_000_000
        assert last.load_duration == 1
        assert last.total_duration >= 1


async def test_thoughts_and_calls_have_their_places_and_arguments_are_objects(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = thinking_and_calling
        whole = (await c.chat("tiny", HI, think=True)).message
        assert (whole.thinking, whole.content) == ("hmm", "I'll look")
        assert [(call.function.name, call.function.arguments) for call in whole.tool_calls] == [
            ("f", {"x": 1}),
            ("g", {}),
        ]
        said = {"model": "tiny", "messages": HI}
        lines = (await c._client.post("/api/chat", json=said)).text.splitlines()
        called = [call for line in lines for call in json.loads(line)["message"].get("tool_calls", [])]
        numbers = [(call["id"], call["function"]["index"], call["index"]) for call in called]
        assert numbers == [("call_a", 0, 0), ("call_b", 1, 1)]
        parts = [part.message async for part in await c.chat("tiny", HI, stream=True)]
        assert "".join(part.thinking or "" for part in parts) == "hmm"
        assert [call.function.name for part in parts for call in part.tool_calls or []] == ["f", "g"]
        assert r.got(Generate)[0].prompt.reasoning_effort == "on"


async def test_a_conversation_that_ends_with_an_answer_goes_on_in_it(tmp_path: Path) -> None:
    """As Ollama's templates leave the last turn open; Open WebUI's "Continue Response" is made of it."""
    begun = {"role": "Assistant", "content": "Once upon "}
    calling = {"role": "assistant", "content": "a", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
    async with client(tmp_path) as (r, c):
        for last in (begun, calling, {"role": "assistant", "content": ""}, HI[0]):
            await c._client.post("/api/chat", json={"model": "tiny", "messages": [*HI, last]})
        assert [command.prompt.continue_final for command in r.got(Generate)] == [True, False, False, False]
        assert r.got(Generate)[0].prompt.messages[-1].role == "assistant"
        refused = await c._client.post("/api/chat", json={"model": "tiny", "messages": [{"role": "critic"}]})
        assert (refused.status_code, "messages[0].role" in refused.text) == (400, True)


async def test_options_have_ollamas_names_and_defaults_and_the_models_own_come_between(tmp_path: Path) -> None:
    entry = msgspec.structs.replace(ENTRY, options=b'{"top_k": 7, "seed": 3}', system="Be brief")
    async with client(tmp_path, Catalog([entry], [ENGINE])) as (r, c):
        await c.chat("tiny", HI, options={"temperature": 0, "seed": 5, "num_predict": 9, "num_ctx": 64, "stop": ["x"]})
        await c.chat("tiny", HI, options={"repeat_last_n": 0, "repeat_penalty": 2.0, "num_predict": -1})
        first, second = r.got(Generate)
        assert (first.sampling.temperature, first.sampling.top_k, first.sampling.top_p) == (0, 7, 0.9)
        assert (first.sampling.seed, first.max_tokens, first.context_length, first.stop_strings) == (5, 9, 64, ["x"])
        assert (first.sampling.penalty_window, first.sampling.penalize_prompt, first.truncate_keep) == (64, True, 4)
        assert (second.sampling.temperature, second.sampling.seed) == (0.8, 3)
        assert (second.sampling.repetition_penalty, second.max_tokens) == (1.0, None)
        assert first.prompt.messages[0].content == "Be brief"


async def test_generate_renders_goes_on_from_a_context_and_hands_one_back(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_other = embedded
        made = await c.generate("tiny", "ab", system="s")
        assert (made.response, made.context) == ("Hello wörld", [1, 2, 3])
        await c.generate("tiny", "ab", context=made.context)
        first, second = r.got(Generate)
        assert [turn.content for turn in first.prompt.messages] == ["s", "ab"]
        assert second.prompt == TokenPrompt([1, 2, 3, ord("a"), ord("b")])


async def test_raw_prompts_go_in_as_they_are_and_give_no_context(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        made = await c.generate("tiny", "ab", raw=True)
        assert made.context is None
        assert r.got(Generate)[0].prompt == TextPrompt("ab")
        with pytest.raises(ollama.ResponseError, match="raw mode does not support") as raised:
            await c.generate("tiny", "ab", raw=True, system="s")
        assert raised.value.status_code == 400


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"raw": True, "suffix": "z"}, "suffix"),
        ({"raw": True, "think": True}, "think"),
        ({"suffix": "z", "system": "s"}, "system"),
        ({"suffix": "z", "template": "t"}, "template"),
    ],
)
async def test_what_needs_a_template_is_refused_where_none_is_used(
    tmp_path: Path, fields: dict[str, Any], refused: str
) -> None:
    async with client(tmp_path) as (_, c):
        with pytest.raises(ollama.ResponseError, match=f"does not support `{refused}`") as raised:
            await c.generate("tiny", "a", **fields)
        assert raised.value.status_code == 400


async def test_thinking_is_off_where_no_template_is_used(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        await c.generate("tiny", "a", raw=True, think=False)
        assert r.got(Generate)[0].prompt == TextPrompt("a")


async def test_of_a_long_prompt_all_may_be_kept(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        await c.generate("tiny", "a", options={"num_keep": -1, "num_ctx": 64})
        (made,) = r.got(Generate)
        assert made.truncate_keep is not None
        assert made.truncate_keep > made.context_length


async def test_a_suffix_fills_in_the_middle(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        await c.generate("tiny", "a", suffix="z")
        assert r.got(Generate)[0].prompt == FillPrompt("a", "z")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("json", Constraint(ConstraintKind.JSON_OBJECT, field="format")),
        ({"type": "object"}, Constraint(ConstraintKind.JSON_SCHEMA, '{"type":"object"}', field="format", strict=False)),
        ("", None),
    ],
)
async def test_a_format_becomes_a_constraint(tmp_path: Path, given: Any, expected: Any) -> None:
    async with client(tmp_path) as (r, c):
        await c.chat("tiny", HI, format=given)
        assert r.got(Generate)[0].constraint == expected


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"think": True}, "does not support thinking"),
        ({"tools": [{"function": {"name": "f"}}]}, "does not support tools"),
        ({"options": {"temperature": "hot"}}, "options.temperature"),
        ({"options": {"mirostat": 2}}, "options.mirostat"),
        ({"keep_alive": "soon"}, "no duration"),
    ],
)
async def test_what_a_model_cant_do_is_a_400(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    entry = able("completion")
    async with client(tmp_path, Catalog([entry], [ENGINE])) as (_, c):
        with pytest.raises(ollama.ResponseError, match=reason) as raised:
            await c.chat("tiny", HI, **fields)
        assert raised.value.status_code == 400


async def test_images_need_a_model_that_sees(tmp_path: Path) -> None:
    async with client(tmp_path) as (_, c):
        with pytest.raises(ollama.ResponseError, match="does not support images"):
            await c.chat("tiny", [{"role": "user", "content": "Hi", "images": ["aGk="]}])


@pytest.mark.parametrize(
    ("given", "seconds"), [("5m", 300), (90, 90), ("90", 90), (-1, math.inf), ("1h30m", 5400), ("-1m", math.inf)]
)
async def test_keep_alive_takes_numbers_and_go_durations(tmp_path: Path, given: Any, seconds: float) -> None:
    async with client(tmp_path) as (r, c):
        await c.chat("tiny", HI, keep_alive=given)
        assert r.got(TouchModel)[0].keep_alive == seconds


@pytest.mark.parametrize("given", [1e12, "9" * 400, "9999999999h"])
async def test_what_is_kept_longer_than_dates_go_is_kept_for_ever(tmp_path: Path, given: Any) -> None:
    async with client(tmp_path) as (r, c):
        await c.chat("tiny", HI, keep_alive=given)
        assert r.got(TouchModel)[0].keep_alive == math.inf


async def test_an_empty_prompt_loads_and_with_no_time_to_live_unloads(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_registry = success
        loaded = await c.generate("tiny", "", keep_alive="1h")
        assert (loaded.done_reason, r.got(LoadModel)[0].keep_alive) == ("load", 3600)
        unloaded = await c.chat("tiny", [], keep_alive=0)
        assert (unloaded.done_reason, unloaded.message.content) == ("unload", "")
        assert [message.model for message in r.got(UnloadModel)] == ["tiny"]


async def test_models_are_listed_with_digests_and_capabilities(tmp_path: Path) -> None:
    engine = msgspec.structs.replace(ENGINE, expires=1_700_000_300.0)
    async with client(tmp_path, Catalog([ENTRY], [engine, EngineInfo("x-1", "x", "loading")])) as (r, c):
        (model,) = (await c.list()).models
        assert (model.model, model.digest, model.details.parameter_size) == ("tiny:latest", "a" * 64, "135M")
        r.held = [HeldMemory("tiny-1", 4_000_000, 1_000_000)]
        (running,) = (await c.ps()).models
        assert (running.size, running.size_vram) == (4_000_000, 1_000_000)
        assert (running.name, running.context_length, running.expires_at.timestamp()) == (
            "tiny:latest",
            2048,
            1_700_000_300.0,
        )


async def test_embeddings_in_both_generations(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_other = embedded
        made = await c.embed("tiny", ["ab", "c"])
        assert [sum(x * x for x in vector) for vector in made.embeddings] == pytest.approx([1, 1])
        assert (made.prompt_eval_count, made.load_duration) == (4, 1)
        assert (await c.embeddings("tiny", "ab")).embedding == [2, 97, 98]


async def test_an_embedding_of_nothing_loads_or_unloads_the_model(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_registry = success
        assert (await c.embed("tiny")).embeddings == []
        assert (len(r.got(LoadModel)), len(r.got(UnloadModel))) == (1, 0)
        assert (await c.embed("tiny", "", keep_alive=0)).embeddings == []
        assert (len(r.got(LoadModel)), len(r.got(UnloadModel))) == (1, 1)
        assert (await c.embeddings("tiny", "")).embedding == []
        assert (len(r.got(LoadModel)), len(r.got(UnloadModel))) == (2, 1)


@pytest.mark.parametrize(
    ("name", "listed"),
    [("a", "a:latest"), ("b:8b", "b:8b"), ("org/c", "org/c:latest"), ("host:1/d", "host:1/d:latest"), ("/e.gguf",) * 2],
)
def test_a_listed_name_has_a_tag_unless_it_is_a_path(name: str, listed: str) -> None:
    assert tagged(name) == listed


async def test_no_client_takes_the_server_for_too_old(tmp_path: Path) -> None:
    async with client(tmp_path) as (_, c):
        version = (await c._client.get("/api/version")).json()["version"]
        assert tuple(map(int, version.split("."))) >= (0, 13, 4)  # what `codex --oss` asks for


async def test_a_pull_streams_its_progress_and_a_late_failure(tmp_path: Path) -> None:
    def pulling(message: PullModel) -> list[Message]:
        number = message.request
        progress = [
            RegistryReply(number, "pulling manifest"),
            RegistryReply(number, "pulling abc", digest="sha256:abc", total=10, completed=4),
        ]
        if message.name == "bad":
            return [*progress, RegistryReply(number, last=True, error=ErrorInfo(ErrorCode.MODEL_FAILED, "disk full"))]
        return [*progress, *success(message)]

    async with client(tmp_path) as (r, c):
        r.on_registry = pulling
        parts = [part async for part in await c.pull("smollm2", stream=True)]
        assert [part.status for part in parts] == ["pulling manifest", "pulling abc", "success"]
        assert (parts[1].digest, parts[1].total, parts[1].completed) == ("sha256:abc", 10, 4)
        assert (await c.pull("smollm2")).status == "success"
        with pytest.raises(ollama.ResponseError, match="disk full"):
            async for _ in await c.pull("bad", stream=True):
                pass


async def test_a_push_streams_its_progress(tmp_path: Path) -> None:
    def pushing(message: PushModel) -> list[Message]:
        progress = RegistryReply(message.request, "pushing abc", digest="sha256:abc", total=10, completed=4)
        return [RegistryReply(message.request, "retrieving manifest"), progress, *success(message)]

    async with client(tmp_path) as (r, c):
        r.on_registry = pushing
        parts = [part async for part in await c.push("me/mine", stream=True, insecure=True)]
        assert [part.status for part in parts] == ["retrieving manifest", "pushing abc", "success"]
        assert (parts[1].digest, parts[1].total, parts[1].completed) == ("sha256:abc", 10, 4)
        assert [(message.name, message.insecure) for message in r.got(PushModel)] == [("me/mine", True)]
        assert (await c.pull("me/mine", insecure=True)).status == "success"
        assert [message.insecure for message in r.got(PullModel)] == [True]


async def test_create_copy_delete_and_show_go_through_the_registry(tmp_path: Path) -> None:
    def registry(message: Message) -> list[Message]:
        if isinstance(message, ShowModel):
            return success(message, b'{"model_info": {}, "template": "t", "capabilities": ["completion"]}')
        return success(message)

    async with client(tmp_path) as (r, c):
        r.on_registry = registry
        assert (await c.create("mine", from_="tiny", system="s", parameters={"top_k": 3})).status == "success"
        (create,) = r.got(CreateModel)
        assert msgspec.json.decode(create.spec) == {"from": "tiny", "system": "s", "parameters": {"top_k": 3}}
        assert (await c.copy("tiny", "other")).status == "success"
        assert (await c.delete("other")).status == "success"
        assert [message.target for message in r.got(CopyModel)] == [m.name for m in r.got(DeleteModel)] == ["other"]
        shown = await c.show("tiny")
        assert (shown.template, shown.modelinfo) == ("t", {})


async def test_a_blob_is_kept_once_and_only_if_it_is_what_it_says(tmp_path: Path) -> None:
    async with client(tmp_path, max_body_bytes=1000) as (_, c):
        path = tmp_path / "model.gguf"
        path.write_bytes(b"x" * 5000)
        digest = await c.create_blob(path)
        assert digest == "sha256:" + hashlib.sha256(b"x" * 5000).hexdigest()
        assert (await c._client.head(f"/api/blobs/{digest}")).status_code == 200
        assert (await c._client.post(f"/api/blobs/{digest}", content=b"x" * 5000)).status_code == 200
        wrong = "sha256:" + "0" * 64
        assert (await c._client.head(f"/api/blobs/{wrong}")).status_code == 404
        assert (await c._client.post(f"/api/blobs/{wrong}", content=b"y")).status_code == 400
        assert (await c._client.post("/api/blobs/sha256:zz", content=b"y")).status_code == 400


async def test_an_unknown_model_is_a_404_and_a_failure_in_mid_stream_the_last_line(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        with pytest.raises(ollama.ResponseError, match="nobody") as raised:
            await c.chat("nobody", HI)
        assert raised.value.status_code == 404
        r.on_generate = lambda m: [*words(m, "a")[:2], Failed(m.request, ErrorInfo(ErrorCode.ENGINE_FAILED, "gone"))]
        with pytest.raises(ollama.ResponseError, match="gone"):
            async for _ in await c.generate("tiny", "a", stream=True):
                pass


async def test_a_length_stop_says_length(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_generate = lambda m: words(m, "a", finish=FinishReason.LENGTH)
        assert (await c.chat("tiny", HI)).done_reason == "length"
        assert isinstance(r.got(Generate)[0].prompt, ChatPrompt)


async def test_ollamas_own_port_is_a_second_door(tmp_path: Path, free_tcp_port: int) -> None:
    async with rig(tmp_path, ollama_port=free_tcp_port) as r:
        assert r.actor.addresses[1] == f"http://127.0.0.1:{free_tcp_port}"
        async with ollama.AsyncClient(host=r.actor.addresses[1]) as c:
            assert len((await c.list()).models) == 1


async def test_a_client_that_leaves_a_pull_cancels_it(tmp_path: Path) -> None:
    async with client(tmp_path) as (r, c):
        r.on_registry = lambda m: [RegistryReply(m.request, "pulling")] if isinstance(m, PullModel) else []
        with anyio.move_on_after(0.1):
            async for _ in await c.pull("smollm2", stream=True):
                pass
        await r.until(lambda: r.got(CancelCommand))
        assert r.got(CancelCommand)[0].request == r.got(PullModel)[0].request


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": [{"role": "bad", "content": "a"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages"),
        ({"parameters": {"temperature": "hot"}}, "parameters.temperature"),
    ],
)
async def test_a_model_whose_every_request_would_fail_is_not_made(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    async with rig(tmp_path) as r, aiohttp.ClientSession() as session:
        r.on_registry = success
        async with session.post(r.url + "/api/create", json={"model": "m", "from": "tiny", **fields}) as response:
            assert response.status == 400
            assert message in (await response.json())["error"]
        assert not r.got(CreateModel)


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.content }}{{ range(3) | length }}{{ template }}{% endfor %}",
        "{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }}",
    ],
)
async def test_a_model_gets_a_template_in_either_language(tmp_path: Path, template: str) -> None:
    async with client(tmp_path) as (r, c):
        r.on_registry = success
        assert (await c.create("m", from_="tiny", template=template)).status == "success"
        assert msgspec.json.decode(r.got(CreateModel)[0].spec)["template"] == template
