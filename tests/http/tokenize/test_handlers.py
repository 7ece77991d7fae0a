"""Tokens of texts and conversations, and back."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mlxr.runtime.messages.frontend import Catalog, RegistryReply, Tokenized
from mlxr.runtime.messages.registry import ShowModel
from mlxr.runtime.messages.tokenizer import TextPrompt, Tokenize
from tests.http.rig import EMBEDDER, ENGINE, ENTRY, ask, embedded, rig


async def test_tokens_of_texts_and_conversations_and_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_other = embedded
        wanted = {"model": "tiny", "prompt": "ab", "return_token_strs": True}
        _, body, _ = await ask(r, "POST", "/tokenize", json=wanted)
        assert body == {"count": 2, "max_model_len": 2048, "tokens": [97, 98], "token_strs": ["a", "b"]}
        _, body, _ = await ask(
            r, "POST", "/tokenize", json={"model": "tiny", "messages": [{"role": "user", "content": "x"}]}
        )
        assert body["tokens"] == [120]
        _, body, _ = await ask(r, "POST", "/detokenize", json={"model": "tiny", "tokens": [97, 98]})
        assert body == {"prompt": "ab", "content": "ab"}
        _, body, _ = await ask(r, "POST", "/tokenize", json={"content": "ab"})
        assert (body["tokens"], body["token_strs"]) == ([97, 98], None)
        r.on_other = lambda m: [Tokenized(m.request, [97, 98], "a", [b"a", b"\xc3"], 2)]
        asked = {"content": "ab", "with_pieces": True, "parse_special": False}
        _, body, _ = await ask(r, "POST", "/tokenize", json=asked)
        assert body["tokens"] == [{"id": 97, "piece": "a"}, {"id": 98, "piece": [0xC3]}]
        assert r.got(Tokenize)[-1].prompt == TextPrompt("ab", add_special=False, parse_special=False)
        r.on_other = embedded
        for too_few_or_many in ({}, {"prompt": "a", "content": "a"}):
            assert (await ask(r, "POST", "/tokenize", json={"model": "tiny", **too_few_or_many}))[0] == 400
        info = b'{"model_info": {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.eos_token_id": 101, "a": 1}}'
        r.on_registry = lambda message: (
            [RegistryReply(message.request, last=True, body=info)] if isinstance(message, ShowModel) else []
        )
        _, body, _ = await ask(r, "GET", "/tokenizer_info")
        assert (body["model"], body["ggml.model"], body["chat_template"]) == ("tiny", "gpt2", "{{ messages }}")
        assert body["eos_token"] == "e"
        assert "bos_token" not in body
        assert "a" not in body


async def test_tokens_are_asked_of_the_loaded_model_where_none_is_named(tmp_path: Path) -> None:
    newer = [msgspec.structs.replace(EMBEDDER, name="e"), msgspec.structs.replace(ENTRY, name="n", aliases=[])]
    newer = [msgspec.structs.replace(entry, modified=ENTRY.modified + 1) for entry in newer]
    async with rig(tmp_path, catalog=Catalog([*newer, ENTRY], [ENGINE])) as r:
        r.on_other = embedded
        assert (await ask(r, "POST", "/tokenize", json={"prompt": "ab"}))[1]["tokens"] == [97, 98]
        assert (await ask(r, "POST", "/detokenize", json={"tokens": [97]}))[1]["prompt"] == "a"
    async with rig(tmp_path, catalog=Catalog([newer[0]], [])) as r:
        status, body, _ = await ask(r, "POST", "/tokenize", json={"prompt": "ab"})
        assert (status, body["error"]["param"]) == (400, "model")
