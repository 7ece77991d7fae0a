"""What the web application is told of the server's setup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlxr.runtime.config import Flag
from mlxr.runtime.config_sources import everything
from mlxr.server.config import SECRET, Config
from tests.http.rig import ask, rig


async def shown(tmp_path: Path, file: str = "", environment: dict[str, str] | None = None, *flags: Flag) -> Any:
    given = tmp_path / "config.toml"
    given.write_text(file)
    found = everything(Config, given, environment or {}, flags)
    hidden = [each.without_secrets(SECRET) for each in found]
    async with rig(tmp_path, configuration=hidden) as r:
        status, body, _ = await ask(r, "GET", "/api/ui/settings")
        assert status == 200
        return body


def by_key(body: Any) -> dict[str, Any]:
    return {each["key"]: each for each in body["settings"]}


async def test_each_key_comes_with_its_value_and_what_set_it(tmp_path: Path) -> None:
    body = await shown(
        tmp_path,
        "[server]\nmax_stop = 7\nmax_messages = 9\n",
        {"MLXR_SERVER_MAX_MESSAGES": "10", "MLXR_LOG_LEVEL": "debug"},
        Flag("--log-level", "log.level", "error"),
    )
    keys = by_key(body)
    assert (keys["server.max_stop"]["value"], keys["server.max_stop"]["source"]) == (7, "file")
    assert keys["server.max_stop"]["where"] == str(tmp_path / "config.toml") == body["file"]
    assert (keys["server.max_messages"]["value"], keys["server.max_messages"]["where"]) == (
        10,
        "MLXR_SERVER_MAX_MESSAGES",
    )
    assert (keys["log.level"]["value"], keys["log.level"]["source"], keys["log.level"]["where"]) == (
        "error",
        "option",
        "--log-level",
    )
    assert (keys["kv.page_size"]["source"], keys["kv.page_size"]["where"]) == ("default", "")
    assert keys["server.port"]["about"] == "0 takes a free one"


async def test_neither_keys_nor_logins_of_addresses_are_shown(tmp_path: Path) -> None:
    body = await shown(
        tmp_path,
        '[server]\napi_keys = ["sesame", "open"]\n[models]\nregistry = "https://me:sesame@models.example"\n',
    )
    assert "sesame" not in str(body)
    assert by_key(body)["server.api_keys"]["value"] == ["***", "***"]
    assert by_key(body)["models.registry"]["value"] == "https://***@models.example"


async def test_what_runs_is_named(tmp_path: Path) -> None:
    body = await shown(tmp_path)
    assert body["engines"] == [{"model": "tiny", "backend": "cpu", "memory": 99}]
    assert body["memory_total"] >= body["memory_available"] > 0
    assert body["keys_needed"] is False


async def test_it_needs_the_key_where_there_is_one(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["right"]) as r:
        assert (await ask(r, "GET", "/api/ui/settings"))[0] == 401
        _, body, _ = await ask(r, "GET", "/api/ui/settings", headers={"Authorization": "Bearer right"})
        assert body["keys_needed"] is True
