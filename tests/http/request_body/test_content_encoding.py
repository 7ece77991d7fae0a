from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import aiohttp
import brotli
import pytest
from backports import zstd

from mlxr.http.request_body.content_encoding import PIECE, unpacked
from mlxr.runtime.errors import RequestError
from tests.http.rig import embedded, rig

BODY = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}
CHAT = "/v1/chat/completions"

PACKERS: dict[str, Any] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


async def post(url: str, data: bytes, encoding: str) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    async with aiohttp.ClientSession() as session, session.post(url, data=data, headers=headers) as response:
        text = await response.text()
        return response.status, json.loads(text) if text else None


@pytest.mark.parametrize("encoding", [*PACKERS, "x-gzip", "GZIP", "identity", "gzip, identity"])
async def test_a_compressed_body_is_read(tmp_path: Path, encoding: str) -> None:
    plain = encoding.lower().removeprefix("x-").split(",")[0]
    data = json.dumps(BODY).encode()
    async with rig(tmp_path) as r:
        status, body = await post(r.url + CHAT, PACKERS.get(plain, bytes)(data), encoding)
        assert (status, body["choices"][0]["message"]["content"]) == (200, "Hello wörld")


@pytest.mark.parametrize("encoding", ["compress", "snappy", "gzip, br", "gzip;q=1", "\u00e9", "x" * 5000])
@pytest.mark.parametrize("path", [CHAT, "/api/chat", "/v1/messages", "/tokenize"])
async def test_an_encoding_that_is_not_taken_is_a_415_that_says_which_are(
    tmp_path: Path, encoding: str, path: str
) -> None:
    async with rig(tmp_path) as r:
        status, body = await post(r.url + path, b"{}", encoding)
        assert status == 415
        assert "gzip, deflate, br, zstd" in json.dumps(body)


@pytest.mark.parametrize("encoding", PACKERS)
async def test_what_is_not_in_its_encoding_is_a_400(tmp_path: Path, encoding: str) -> None:
    good = PACKERS[encoding](json.dumps({**BODY, "user": "".join(map(chr, range(300, 900)))}).encode())
    async with rig(tmp_path) as r:
        for bad in (b"\x93\x01nonsense", good[:-9], good[:20] + b"\x00\xff" * 30 + good[80:]):
            status, body = await post(r.url + CHAT, bad, encoding)
            assert status == 400, bad
            assert encoding in body["error"]["message"]


@pytest.mark.parametrize("encoding", PACKERS)
async def test_a_bomb_is_refused_at_the_limit_for_bodies(tmp_path: Path, encoding: str) -> None:
    bomb = PACKERS[encoding](b" " * (64 << 20))
    assert len(bomb) < 1 << 20
    async with rig(tmp_path, max_body_bytes=1 << 20) as r:
        tracemalloc.start()
        try:
            status, body = await post(r.url + CHAT, bomb, encoding)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert status == 413
        assert "server.max_body_bytes" in body["error"]["message"]
        assert most < 8 << 20


def test_members_frames_and_bare_deflate_are_unpacked_whole() -> None:
    assert b"".join(unpacked([gzip.compress(b"a") + gzip.compress(b"b")], "gzip", 9)) == b"ab"
    assert b"".join(unpacked([zstd.compress(b"a") + zstd.compress(b"b")], "zstd", 9)) == b"ab"
    assert b"".join(unpacked([raw_deflate(b"abc")], "deflate", 9)) == b"abc"


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_body_in_any_pieces_is_the_same(encoding: str) -> None:
    text = json.dumps([list(range(n)) for n in range(700)]).encode()
    packed = PACKERS[encoding](text)
    for step in (1, 7, 4096, len(packed)):
        parts = [packed[at : at + step] for at in range(0, len(packed), step)]
        made = unpacked(parts, encoding, len(text))
        assert b"".join(made) == text
        assert max(map(len, made)) < 2 * PIECE


def test_a_window_larger_than_needed_is_refused_before_it_is_made() -> None:
    level = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=level)
    wide = packer.compress(b"a" * 100) + packer.flush()
    with pytest.raises(RequestError, match="zstd"):
        unpacked([wide], "zstd", 1 << 30)


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "nonsense"])
async def test_an_uploaded_file_comes_as_it_is(tmp_path: Path, encoding: str) -> None:
    async with rig(tmp_path) as r:
        status, body = await post(r.url + "/api/blobs/sha256:" + "a" * 64, gzip.compress(b"a"), encoding)
        assert status == 415
        assert encoding in body["error"]
        assert not list((tmp_path / "home").rglob("*sha256*"))


async def test_a_large_compressed_body_is_decoded_aside(tmp_path: Path) -> None:
    texts = ["word " * 100] * 200
    async with rig(tmp_path) as r:
        r.on_other = embedded
        data = json.dumps({"model": "tiny", "input": texts}).encode()
        status, body = await post(r.url + "/v1/embeddings", gzip.compress(data), "gzip")
        assert (status, len(body["data"])) == (200, 200)
