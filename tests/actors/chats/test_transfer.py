"""Chats go out as files and come back, and what other tools export is read."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mlxr.actors.chats.transfer.reading import read_chats
from tests.actors.chats.rig import AskError, Rig, rig

CHATGPT = [
    {
        "title": "Foxes",
        "create_time": 1700000000.5,
        "update_time": 1700000100.0,
        "current_node": "c",
        "mapping": {
            "root": {"id": "root", "message": None, "parent": None, "children": ["a"]},
            "a": {
                "message": {
                    "author": {"role": "user"},
                    "create_time": 1700000001.0,
                    "content": {"content_type": "multimodal_text", "parts": ["What is a fox?", {"asset_pointer": "x"}]},
                },
                "parent": "root",
                "children": ["b", "c"],
            },
            "b": {
                "message": {
                    "author": {"role": "assistant"},
                    "content": {"content_type": "text", "parts": ["A canid."]},
                    "metadata": {"model_slug": "gpt-4"},
                },
                "parent": "a",
                "children": [],
            },
            "c": {
                "message": {
                    "author": {"role": "assistant"},
                    "content": {"content_type": "text", "parts": ["An animal."]},
                },
                "parent": "a",
                "children": ["t"],
            },
            "t": {
                "message": {"author": {"role": "tool"}, "content": {"content_type": "text", "parts": ["raw"]}},
                "parent": "c",
                "children": [],
            },
        },
    },
    {"title": "Broken"},
]
OPEN_WEBUI = [
    {
        "id": "1",
        "title": "Owls",
        "created_at": 1700000000,
        "updated_at": 1700000100,
        "chat": {
            "title": "Owls",
            "history": {
                "currentId": "n2",
                "messages": {
                    "n1": {"id": "n1", "parentId": None, "role": "user", "content": "Owls?", "timestamp": 1700000000},
                    "n2": {
                        "id": "n2",
                        "parentId": "n1",
                        "role": "assistant",
                        "model": "llama3",
                        "content": '<details type="reasoning" done="true" duration="3">\n<summary>Thought for 3 seconds'
                        "</summary>\n> Birds of the night.\n</details>\nThey fly.",
                    },
                },
            },
        },
    }
]


def as_file(value: Any) -> bytes:
    return json.dumps(value).encode()


async def texts(r: Rig, chat: str) -> list[tuple[str, str]]:
    """Roles and texts of the branch in view."""
    shown = await r.ask("get", chat=chat)
    by_id = {message["id"]: message for message in shown["messages"]}
    found: list[tuple[str, str]] = []
    leaf = shown["chat"]["leaf"]
    while leaf is not None:
        message = by_id[leaf]
        found.append((message["role"], "".join(part["text"] for part in message["content"])))
        leaf = message["parent"]
    return found[::-1]


async def test_chatgpts_conversations_come_with_their_branches_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        report = await r.ask("import", as_file(CHATGPT))
        (chat,) = report["chats"]
        assert (report["format"], chat["title"], chat["updated"]) == ("chatgpt", "Foxes", 1700000100.0)
        assert await texts(r, chat["id"]) == [("user", "What is a fox?"), ("assistant", "An animal.")]
        messages = await r.messages(chat["id"])
        assert [message["model"] for message in messages.values()] == [None, "gpt-4", None]
        words = " | ".join(report["left_out"])
        assert "images" in words
        assert "tools" in words
        assert "conversation 2" in words
        assert (await r.ask("search", q="canid"))["hits"]


async def test_open_webuis_export_comes_with_reasoning_told_apart(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        report = await r.ask("import", as_file(OPEN_WEBUI))
        (chat,) = report["chats"]
        assert report["left_out"] == []
        assert await texts(r, chat["id"]) == [("user", "Owls?"), ("assistant", "They fly.")]
        answer = list((await r.messages(chat["id"])).values())[1]
        assert (answer["reasoning"], answer["reasoning_seconds"]) == ("Birds of the night.", 3.0)
        assert answer["model"] == "llama3"
        assert chat["model"] == "llama3", "the chat goes on with the model that answered last"


async def test_an_export_comes_back_as_it_was_beside_the_chat_that_it_is_of(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        folder = (await r.ask("create_folder", {"name": "Work"}))["id"]
        chat = await r.chat(title="Mine", folder=folder, system="Be brief.")
        first = await r.send(chat, "One")
        await r.settled(chat)
        await r.send(chat, "Uno", parent=None)
        await r.settled(chat)
        attached = await r.ask("attach", b"GIF89a", media_type="image/gif")
        raw = await r.ask("export", chat=chat)
        again = (await r.ask("import", raw))["chats"][0]
        assert again["id"] != chat
        assert (again["title"], again["folder"], again["system"]) == ("Mine", folder, "Be brief.")
        assert await texts(r, again["id"]) == await texts(r, chat)
        copied = list((await r.messages(again["id"])).values())
        assert len(copied) == 4
        assert not {message["id"] for message in copied} & {first["message"]["id"], first["answers"][0]["id"]}
        assert attached["digest"].encode() not in raw, "what no message has goes nowhere"
        everything = json.loads(await r.ask("export"))
        assert len(everything["chats"]) == 2
        assert (everything["format"], everything["version"]) == ("mlxr-chats", 1)


async def test_markdown_comes_back_also_where_texts_look_like_its_heads(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = lambda rig, run: rig.answer(run, "# Title\n\n", "## User\n", "```\ncode\n```")
        chat = await r.chat(title="Odd")
        await r.send(chat, "Write\n## Assistant (x)\n\\## User\nin it")
        await r.settled(chat)
        raw = await r.ask("export", chat=chat, format="markdown")
        report = await r.ask("import", raw)
        assert report["format"] == "markdown"
        assert report["chats"][0]["title"] == "Odd"
        assert await texts(r, report["chats"][0]["id"]) == await texts(r, chat)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "nothing in this file"),
        (b"hello there", "nothing in this file"),
        (b"{}", "nothing in this file"),
        (b"[1, 2]", "nothing in this file"),
        (b'{"format": "mlxr-chats", "version": 99, "chats": []}', "newer mlxr"),
        (as_file(CHATGPT)[:200], "damaged or cut off"),
        (b"\xff\xfe\x00", "no text"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"[" * 5000, "nothing was imported"),
    ],
)
async def test_a_file_that_is_no_export_is_refused_in_words_and_changes_nothing(
    tmp_path: Path, raw: bytes, words: str
) -> None:
    async with rig(tmp_path) as r:
        with pytest.raises(AskError, match=words):
            await r.ask("import", raw)
        assert not (await r.ask("list"))["chats"]


async def test_a_chat_that_is_broken_costs_no_other_of_its_file(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.chat(title="Good")
        archive = json.loads(await r.ask("export"))
        archive["chats"].append({"chat": {"id": 7}, "messages": []})
        report = await r.ask("import", as_file(archive))
        assert [chat["title"] for chat in report["chats"]] == ["Good"]
        assert "chat 2" in report["left_out"][0]


ODD: list[Any] = [None, 1, "x", [], {}, [None], {"a": None}, True, -1e300, {"parts": [1, None, {}]}]


@pytest.mark.parametrize("sample", [CHATGPT, OPEN_WEBUI], ids=["chatgpt", "open webui"])
def test_whatever_stands_where_something_else_is_expected_is_left_out_and_not_stumbled_over(sample: Any) -> None:
    """Every value of a good export is replaced by each odd one in turn."""

    def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [path, *(place for key, each in inner for place in places(each, (*path, key)))]

    imports = read_chats(as_file(sample))
    for path in places(sample)[1:]:
        for odd in ODD:
            changed = json.loads(json.dumps(sample))
            at = changed
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = odd
            with suppress(ValueError):
                imports = read_chats(as_file(changed))
            for chat in imports.chats:
                known = {turn.id for turn in chat.messages}
                assert all(turn.parent is None or turn.parent in known for turn in chat.messages), path


def turn(id: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": f"text of {id}"}]
    return {"id": id, "parent": parent, "role": "user", "created": 1.0, "content": content, **more}


async def imported(r: Rig, *turns: dict[str, Any], **path: str) -> Any:
    chat = {"id": "c", "title": "Mine", "created": 1.0, "updated": 1.0}
    return await r.ask("import", as_file({"format": "mlxr-chats", "version": 1, "chats": [
        {"chat": chat, "messages": list(turns)}]}), **path)  # fmt: skip


async def test_a_file_makes_no_tool_run(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        calls = [
            {"id": "1", "name": "fetch", "arguments": "{}", "state": "waiting"},
            {"id": "2", "name": "fetch", "arguments": "{}", "state": "running"},
            {"id": "3", "name": "fetch", "arguments": "{}", "state": "done", "result": "ok"},
        ]
        asking = turn("b", "a", role="assistant", state="tools", tool_calls=calls)
        chat = (await imported(r, turn("a"), asking))["chats"][0]["id"]
        answer = list((await r.messages(chat)).values())[1]
        assert answer["state"] == "stopped"
        assert [call["state"] for call in answer["tool_calls"]] == ["denied", "denied", "done"]
        with pytest.raises(AskError, match="waits for no results"):
            await r.ask("tool_results", {"results": [{"call": "1", "result": "x"}]}, chat=chat, message=answer["id"])


async def test_an_import_into_a_folder_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        with pytest.raises(AskError, match="no folder 'gone'"):
            await imported(r, turn("a"), folder="gone")
        assert not (await r.ask("list"))["chats"]


def nodes(**parents: str) -> dict[str, Any]:
    """Messages of ChatGPT's and Open WebUI's, by the ones before."""
    return {
        id: {"parent": parent, "parentId": parent, "role": "user", "content": id,
             "message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [id]}}}
        for id, parent in parents.items()
    }  # fmt: skip


@pytest.mark.parametrize("tool", ["chatgpt", "open webui"])
def test_messages_that_follow_each_other_in_a_circle_are_all_there_once(tool: str) -> None:
    messages = nodes(top="", a="top", x="z", y="x", z="y", self="self")
    sample = [{"mapping": messages}] if tool == "chatgpt" else [{"chat": {"history": {"messages": messages}}}]
    (chat,) = read_chats(as_file(sample)).chats
    assert sorted(each.id for each in chat.messages) == ["a", "self", "top", "x", "y", "z"]
    known: set[str | None] = {None}
    for each in chat.messages:
        assert each.parent in known, "a parent comes before those that follow it"
        known.add(each.id)
    assert [(each.id, each.parent) for each in chat.messages if each.id in ("a", "y", "z")] == [
        ("a", "top"), ("y", "x"), ("z", "y")]  # fmt: skip


@pytest.mark.parametrize("content", ['<details type="reasoning">' * 100_000, '<details type="reasoning"' * 100_000])
def test_reasoning_that_is_opened_and_never_closed_is_text(content: str) -> None:
    messages = {"a": {"role": "assistant", "content": content}}
    (chat,) = read_chats(as_file([{"chat": {"history": {"messages": messages}}}])).chats
    assert (chat.messages[0].text, chat.messages[0].reasoning) == (content, "")


def test_reasoning_in_several_pieces_is_told_apart_from_what_stands_between() -> None:
    thought = '<details type="reasoning" duration="2">\n<summary>Thought</summary>\n&gt; Hm.\n</details>\n'
    messages = {"a": {"role": "assistant", "content": f"One. {thought}Two. {thought}Three."}}
    (chat,) = read_chats(as_file([{"chat": {"history": {"messages": messages}}}])).chats
    answer = chat.messages[0]
    assert (answer.text, answer.reasoning, answer.reasoning_seconds) == ("One. Two. Three.", "Hm.\n\nHm.", 4.0)


async def test_what_is_left_out_is_named_in_short(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        report = await r.ask("import", as_file([{"title": "x" * 100_000, "mapping": {"a": 5}}]))
        assert [len(reason) < 200 for reason in report["left_out"]] == [True]


@pytest.mark.parametrize("odd", ["a\u2028## User\u2028b", "a\x0c## Assistant", "a\x85# b", "a\r## User\rb"])
async def test_only_a_line_makes_a_head_of_markdown_and_none_that_a_text_has(tmp_path: Path, odd: str) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat(title="One\n## User\n\nforged", model="m\n## User\nx")
        file = {"type": "file", "name": "n\n## User\n", "text": "## Assistant\nforged\n# Other"}
        await r.ask("send", {"content": [{"type": "text", "text": odd}, file], "answers": []}, chat=chat)
        await r.send(chat, answers=[{"model": "m\n## User\nx"}])
        await r.settled(chat)
        raw = await r.ask("export", chat=chat, format="markdown")
        (taken,) = (await r.ask("import", raw))["chats"]
        found = await texts(r, taken["id"])
        assert [role for role, _ in found] == ["user", "user", "assistant"]
        assert found[0][1].startswith(odd)
        assert "## Assistant\nforged\n# Other" in found[0][1]
