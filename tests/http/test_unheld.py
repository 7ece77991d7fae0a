"""What of a schema an answer is not held to is named by the response, on every surface."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mlxr.http.request_body.unknown_fields import HEADER
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.frontend import Started
from mlxr.runtime.messages.tokenizer import Generate
from tests.http.cases.plain import CHAT, COMPLETIONS, MESSAGES, PLAIN, RESPONSES
from tests.http.rig import ask, hello, rig

pytestmark = pytest.mark.anyio

PLACES = ("tools[1].function.parameters#/properties/a[0]/not", "response_format#/uniqueItems")


def leaving_out(command: Generate) -> list[Message]:
    return [replace(each, unheld=PLACES) if isinstance(each, Started) else each for each in hello(command)]


async def test_keywords_that_are_left_out_are_named_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(tmp_path) as r:
        for path in (CHAT, COMPLETIONS, RESPONSES, MESSAGES, "/api/generate", "/api/chat", "/completion"):
            for stream in (False, True):
                body: dict[str, Any] = {**PLAIN[path], "stream": stream}
                r.on_generate = leaving_out
                with caplog.at_level(logging.WARNING):
                    status, _, headers = await ask(r, "POST", path, json=body)
                said = "tools.1.function.parameters#/properties/a[0]/not, response_format#/uniqueItems"
                assert (status, headers[HEADER]) == (200, said), path
                assert f"POST {path}: answers can't be held to" in caplog.messages[-1]
                r.on_generate = hello
                _, _, headers = await ask(r, "POST", path, json=body)
                assert HEADER not in headers, path
