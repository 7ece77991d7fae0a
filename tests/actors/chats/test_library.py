"""Chats in their list, in folders and in search; presets and attachments; titles."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from mlxr.actors.chats.chat_operations import TEMPORARY_SECONDS, ChatOperations
from mlxr.runtime.messages.chats import AnswerEnded
from mlxr.runtime.messages.common import ErrorCode, Usage
from mlxr.runtime.messages.frontend import RunAnswer
from mlxr.runtime.messages.tokenizer import ChatPrompt
from tests.actors.chats.rig import AskError, Rig, rig


async def _is_there(r: Rig, chat: str) -> bool:
    try:
        await r.ask("get", chat=chat)
    except AskError:
        return False
    return True


def marked(hit: dict[str, Any]) -> str:
    return "".join(f"[{part['text']}]" if part["hit"] else part["text"] for part in hit["snippet"])


async def test_search_finds_titles_and_messages_by_the_beginnings_of_words_and_shows_where(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.script = lambda rig, run: rig.answer(run, "The lighthouse ", "stood on a cliff.")
        said = await r.chat(title="Sea stories")
        await r.send(said, "Where did the keeper live?")
        await r.settled(said)
        named = await r.chat(title="Lighthouses of Brittany")
        hits = (await r.ask("search", q="lighth"))["hits"]
        assert {hit["chat"]["id"] for hit in hits} == {said, named}
        shown = {hit["chat"]["id"]: hit for hit in hits}
        assert marked(shown[said]) == "The [lighthouse] stood on a cliff."
        assert shown[said]["message"] is not None
        assert shown[named]["message"] is None
        assert [hit["chat"]["id"] for hit in (await r.ask("search", q="keeper live"))["hits"]] == [said]
        assert not (await r.ask("search", q="keeper Brittany"))["hits"]


@pytest.mark.parametrize("query", ["", "   ", '"', "a OR", "NEAR(", "*", "text:x", "-", "a AND NOT", "()", "'; DROP"])
async def test_nothing_that_is_typed_is_the_searchs_own_syntax(tmp_path: Path, query: str) -> None:
    async with rig(tmp_path) as r:
        await r.chat(title="plain")
        assert isinstance((await r.ask("search", q=query))["hits"], list)


async def test_what_was_deleted_is_not_found_until_it_is_restored(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat(title="Secret garden")
        gone = await r.ask("delete", chat=chat)
        assert gone["undo_until"] is not None
        assert not (await r.ask("search", q="garden"))["hits"]
        assert not (await r.ask("list"))["chats"]
        with pytest.raises(AskError, match="there is no chat"):
            await r.ask("get", chat=chat)
        await r.ask("restore", chat=chat)
        assert (await r.ask("search", q="garden"))["hits"]
        assert (await r.ask("delete", chat=chat, now="true"))["undo_until"] is None
        with pytest.raises(AskError):
            await r.ask("restore", chat=chat)


async def test_what_was_deleted_is_gone_when_the_time_to_undo_it_is_over(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat(title="old")
        await r.ask("delete", chat=chat)
    async with rig(tmp_path, undo_seconds=0.0) as r:
        await r.ask("list")
        with pytest.raises(AskError):
            await r.ask("restore", chat=chat)


async def test_the_list_has_the_chats_used_last_first_a_page_at_a_time(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        made = [await r.chat(title=f"chat {index}") for index in range(5)]
        pages, after = list[list[str]](), ""
        while True:
            page = await r.ask("list", limit="2", after=after)
            pages.append([chat["id"] for chat in page["chats"]])
            if (after := page["next"]) is None:
                break
        assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]]]
        await r.ask("patch", {"archived": True}, chat=made[0])
        assert [chat["id"] for chat in (await r.ask("list", archived="true"))["chats"]] == [made[0]]
        assert made[0] not in [chat["id"] for chat in (await r.ask("list"))["chats"]]


@pytest.mark.parametrize("wrong", [{"limit": "0"}, {"limit": "x"}, {"after": "nothing"}, {"archived": "maybe"}])
async def test_a_list_that_can_not_be_had_is_refused_by_the_name_of_what_is_wrong(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    async with rig(tmp_path) as r:
        with pytest.raises(AskError, match=next(iter(wrong))):
            await r.ask("list", **wrong)


async def test_a_folder_that_is_deleted_leaves_its_chats(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        folder = (await r.ask("create_folder", {"name": "Work"}))["id"]
        chat = await r.chat(title="report", folder=folder)
        assert [each["chats"] for each in (await r.ask("folders"))["folders"]] == [1]
        with pytest.raises(AskError, match="Work") as taken:
            await r.ask("create_folder", {"name": "Work"})
        assert taken.value.code is ErrorCode.CONFLICT
        assert (await r.ask("rename_folder", {"name": "Home"}, folder=folder))["name"] == "Home"
        assert [each["id"] for each in (await r.ask("list", folder=folder))["chats"]] == [chat]
        await r.ask("delete_folder", folder=folder)
        assert (await r.ask("get", chat=chat))["chat"]["folder"] is None
        with pytest.raises(AskError, match="there is no folder"):
            await r.ask("patch", {"folder": folder}, chat=chat)


async def test_saved_prompts_are_kept_each_under_a_name_of_its_own(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        made = await r.ask("create_prompt", {"name": "sum-up", "text": "Sum up {{text}}."})
        with pytest.raises(AskError, match="sum-up") as taken:
            await r.ask("create_prompt", {"name": "sum-up", "text": "Another"})
        assert taken.value.code is ErrorCode.CONFLICT
        with pytest.raises(AskError):
            await r.ask("create_prompt", {"name": "with a space", "text": "Another"})
        await r.ask("change_prompt", {"name": "brief", "text": "Briefly: {{text}}"}, prompt=made["id"])
    async with rig(tmp_path) as r:
        assert (await r.ask("prompts"))["prompts"] == [{"id": made["id"], "name": "brief", "text": "Briefly: {{text}}"}]
        await r.ask("delete_prompt", prompt=made["id"])
        assert not (await r.ask("prompts"))["prompts"]
        with pytest.raises(AskError, match="there is no prompt"):
            await r.ask("delete_prompt", prompt=made["id"])


async def test_a_temporary_chat_is_listed_nowhere_until_it_is_kept(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        listed = r.follow()
        chat = await r.chat(title="Secret garden", temporary=True)
        await r.send(chat, "Where is the key?")
        await r.settled(chat)
        kept = await r.chat(title="Kitchen")
        await r.until(lambda: any(name == "chat" for name, _, _ in r.events[listed]))
        assert {data["id"] for name, _, data in r.events[listed] if name == "chat"} == {kept}
        assert [each["id"] for each in (await r.ask("list", archived="any"))["chats"]] == [kept]
        assert not (await r.ask("search", q="garden"))["hits"]
        assert not (await r.ask("search", q="key"))["hits"]
        assert b"garden" not in await r.ask("export")
        await r.ask("import", await r.ask("export", chat=chat))
        assert [each["temporary"] for each in (await r.ask("list"))["chats"]] == [False, False]
        assert (await r.ask("patch", {"temporary": False}, chat=chat))["temporary"] is False
        assert chat in {each["id"] for each in (await r.ask("list"))["chats"]}
        assert chat in {hit["chat"]["id"] for hit in (await r.ask("search", q="garden"))["hits"]}


async def test_a_temporary_chat_is_gone_once_nobody_has_followed_it_for_long_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as r:
        chat, kept = await r.chat(temporary=True), await r.chat()
    async with rig(tmp_path) as r:
        # A server that starts gives those who come back the time to.
        assert (await r.ask("get", chat=chat))["chat"]["temporary"] is True
    monkeypatch.setattr("mlxr.actors.chats.chat_operations.TEMPORARY_SECONDS", -1.0)
    async with rig(tmp_path) as r:
        with anyio.fail_after(20):
            while await _is_there(r, chat):
                pass
        assert [each["id"] for each in (await r.ask("list"))["chats"]] == [kept]


async def test_a_kept_chat_that_is_made_temporary_stays_as_long_as_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, purges = 0.0, 0
    purge = ChatOperations.purge

    async def counted(chats: ChatOperations) -> None:
        nonlocal purges
        await purge(chats)
        purges += 1

    monkeypatch.setattr("mlxr.actors.chats.actor.PURGE_SECONDS", 0.01)
    monkeypatch.setattr("mlxr.actors.chats.chat_operations.time", SimpleNamespace(time=lambda: time.time() + ahead))
    monkeypatch.setattr(ChatOperations, "purge", counted)
    async with rig(tmp_path) as r:
        chat = await r.chat()
        ahead = 2 * TEMPORARY_SECONDS
        await r.ask("patch", {"temporary": True}, chat=chat)
        before = purges
        with anyio.fail_after(20):
            while purges < before + 2:
                assert await _is_there(r, chat)
        ahead = 4 * TEMPORARY_SECONDS
        with anyio.fail_after(20):
            while await _is_there(r, chat):
                pass


async def test_a_saved_prompt_that_is_deleted_stays_so_whoever_changes_it_meanwhile(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        made = await r.ask("create_prompt", {"name": "brief", "text": "Briefly."})

        async def change() -> None:
            with suppress(AskError):
                await r.ask("change_prompt", {"name": "terse", "text": "Tersely."}, prompt=made["id"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: r.ask("delete_prompt", prompt=made["id"]))
            for _ in range(4):
                tasks.start_soon(change)
        assert not (await r.ask("prompts"))["prompts"]


async def test_presets_are_kept(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        made = await r.ask("create_preset", {"name": "Brief", "system": "Be brief.", "parameters": {"top_p": 0.5}})
        await r.ask("change_preset", {"name": "Terse", "system": "Be terse."}, preset=made["id"])
    async with rig(tmp_path) as r:
        (kept,) = (await r.ask("presets"))["presets"]
        assert (kept["id"], kept["name"], kept["system"]) == (made["id"], "Terse", "Be terse.")
        await r.ask("delete_preset", preset=made["id"])
        assert not (await r.ask("presets"))["presets"]


async def test_an_attachment_is_kept_by_its_digest_up_to_a_limit(tmp_path: Path) -> None:
    async with rig(tmp_path, max_attachment_bytes=8) as r:
        kept = await r.ask("attach", b"\x89PNG", media_type="image/png; q=1")
        assert (kept["media_type"], kept["size"]) == ("image/png", 4)
        assert await r.ask("attachment", digest=kept["digest"]) == b"image/png\n\x89PNG"
        with pytest.raises(AskError, match="max_attachment_bytes") as refused:
            await r.ask("attach", b"123456789")
        assert refused.value.code is ErrorCode.TOO_LARGE


def titles_last(r: Rig, run: RunAnswer) -> None:
    """Answers, and a title where one is asked for."""
    if run.command.priority:
        r.say(run, '"The Fox', ' at Sea"\n')
        r.tell(AnswerEnded(run.answer, Usage()))
    else:
        r.answer(run, "Once upon a time.")


async def test_the_model_names_a_chat_where_a_setting_asks_for_it_unless_somebody_did(tmp_path: Path) -> None:
    async with rig(tmp_path, model_titles=True, title_tokens=9) as r:
        r.script = titles_last
        chat = await r.chat()
        await r.send(chat, "Tell me of a fox")
        await r.settled(chat)
        await r.until(lambda: len(r.runs) == 2)
        asked = r.runs[1].command
        assert isinstance(asked.prompt, ChatPrompt)
        assert (asked.max_tokens, asked.priority > 0) == (9, True)
        while (shown := (await r.ask("get", chat=chat))["chat"])["titled_by"] != "model":
            pass
        assert shown["title"] == "The Fox at Sea"
        named = await r.chat(title="Mine")
        await r.send(named)
        await r.settled(named)
        assert (await r.ask("get", chat=named))["chat"]["title"] == "Mine"
        assert len(r.runs) == 3


async def test_a_field_that_nobody_knows_is_no_matter_of_the_actor_but_a_model_is_its_own(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        chat = await r.chat(model="tiny")
        await r.send(chat, answers=[{}])
        await r.settled(chat)
        assert r.runs[0].model == "tiny"
        assert r.runs[0].client == "somebody"
        assert r.runs[0].remote is False
