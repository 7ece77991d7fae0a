"""Reads a file of chats, whichever of the formats that are known it has. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from mlxr.actors.chats.transfer.archive import is_archive, read_archive
from mlxr.actors.chats.transfer.chatgpt import is_chatgpt, read_chatgpt
from mlxr.actors.chats.transfer.imported import Imports
from mlxr.actors.chats.transfer.markdown import is_markdown, read_markdown
from mlxr.actors.chats.transfer.open_webui import is_open_webui, read_open_webui

KNOWN = "an export of mlxr's (JSON or Markdown), ChatGPT's conversations.json, or Open WebUI's export"
ZIP = b"PK\x03\x04"


def read_chats(raw: bytes) -> Imports:
    """Raises ``ValueError`` in words for a file that is none of these."""
    if raw.startswith(ZIP):
        raise ValueError("this is a ZIP archive: unpack it, and import the conversations.json in it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"this is no text, and so not {KNOWN}") from error
    if not text.lstrip().startswith(("{", "[")):
        if is_markdown(text):
            return read_markdown(text)
        raise ValueError(f"nothing in this file shows that it is {KNOWN}")
    try:
        value: Any = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"the file is damaged or cut off: {error}") from error
    except RecursionError as error:
        raise ValueError("the file is nested too deeply") from error
    if is_archive(value):
        return read_archive(text.encode())
    if is_chatgpt(value):
        return read_chatgpt(value)
    if is_open_webui(value):
        return read_open_webui(value)
    raise ValueError(f"nothing in this file shows that it is {KNOWN}")
