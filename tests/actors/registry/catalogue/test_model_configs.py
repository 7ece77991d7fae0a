"""Files that say of models by name where they come from and what stands by default."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from mlxr.actors.registry.catalogue.aliases import BUILT_IN, built_in
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.catalogue.model_configs import ModelConfigs, built_in_folder, read_file
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.own_options import folder_options, gguf_options
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import ignore
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import tiny_gguf


@pytest.fixture
def user_home(tmp_path: Path) -> Home:
    (tmp_path / "home" / "models.d").mkdir(parents=True)
    return Home(tmp_path / "home")


def write(home: Home, name: str, text: str) -> Path:
    path = home.models_d / name
    path.write_text(text)
    return path


def test_each_file_of_the_package_is_an_alias() -> None:
    files = sorted(path.stem for path in built_in_folder().glob("*.toml"))
    assert [alias.name for alias in BUILT_IN] == files
    assert {"smollm2", "gemma3", "minilm"} <= set(files)
    assert built_in("SmolLM2:latest") == next(alias for alias in BUILT_IN if alias.name == "smollm2")


def test_the_users_file_comes_over_the_packages_key_by_key(user_home: Home) -> None:
    write(user_home, "smollm2.toml", 'system = "Be terse."\naliases = ["small"]\n[parameters]\ntop_k = 3\nstop = "x"')
    configs = ModelConfigs.load(user_home)
    config = configs.of("SMOLLM2")
    assert config is configs.of("small:latest")
    assert config.source == next(alias.source for alias in BUILT_IN if alias.name == "smollm2")
    assert (config.system, config.parameters) == ("Be terse.", {"top_k": 3, "stop": ["x"]})
    assert configs.of("other").system == ""


def test_a_name_that_no_file_can_have_is_a_key(user_home: Home) -> None:
    write(user_home, "mine.toml", 'name = "me/model:7b"\nsystem = "x"')
    assert ModelConfigs.load(user_home).of("Me/Model:7B").system == "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('# x\nsourc = "a"', ":2: sourc: there is no such key; did you mean source?"),
        ('size = "a"', ":1: size: Expected int, got str"),
        ("system = 1", ":1: system: Expected str, got int"),
        ('digest = "ab"', ":1: digest: is 64 hexadecimal digits"),
        ('aliases = ["ok", "not ok"]', ":1: aliases: 'not ok' is no model name"),
        ("[parameters]\ntop_k = 1\ntemprature = 1", ":3: parameters.temprature: unknown parameter"),
        ("[parameters]\n\ntemperature = 'hot'", ":3: parameters.temperature: temperature is a number from 0 to 100"),
        ("parameters.num_ctx = -1", ":1: parameters.num_ctx: num_ctx is a whole number that is not negative"),
        ('[[messages]]\nrole = "owner"\ncontent = "x"', ":1: messages: the role 'owner' is none"),
        ("a = 1\nb = = 2", ":2: Invalid value"),
        ('system = """x', ":1: "),
    ],
)
def test_what_is_wrong_names_file_line_and_key(user_home: Home, text: str, said: str) -> None:
    path = write(user_home, "bad.toml", text)
    with pytest.raises(ConfigError) as wrong:
        ModelConfigs.load(user_home)
    assert str(wrong.value).startswith(f"{path}{said}")
    assert "\n" not in str(wrong.value)


def test_bytes_that_are_no_text_are_refused(user_home: Home) -> None:
    path = user_home.models_d / "x.toml"
    path.write_bytes(b"a = 1\n# \xff")
    with pytest.raises(ConfigError, match=r"x\.toml:2: is not UTF-8"):
        read_file(path)


def test_defaults_are_the_models_own_then_those_of_files_then_those_of_create(user_home: Home) -> None:
    write(
        user_home,
        "m.toml",
        'system = "file"\ntemplate = "{{ .Prompt }}"\n[parameters]\ntop_k = 2\ntop_p = 0.2\n'
        '[[messages]]\nrole = "user"\ncontent = "hi"\n',
    )
    info = ModelInfo("gguf", "llama", options={"temperature": 0.1, "top_k": 1, "top_p": 0.1}, template="own")
    config = ModelConfigs.load(user_home).of("m")
    plain = CatalogueEntry("m", Blob("ab", Path("/x"), 1, info), 0.0, config=config)
    told = plain.message()
    assert msgspec.json.decode(told.options) == {"temperature": 0.1, "top_k": 2, "top_p": 0.2}
    assert (told.system, plain.info.template, plain.engine_spec().template) == (
        "file",
        "{{ .Prompt }}",
        "{{ .Prompt }}",
    )
    assert json.loads(bytes(told.messages)) == [{"role": "user", "content": "hi"}]
    made = msgspec.structs.replace(plain, overrides=Overrides(template="t", system="create", options={"top_p": 0.3}))
    told = made.message()
    assert msgspec.json.decode(told.options) == {"temperature": 0.1, "top_k": 2, "top_p": 0.3}
    assert (told.system, made.engine_spec().template) == ("create", "t")


def test_a_models_own_files_say_how_to_sample(tmp_path: Path) -> None:
    said = {"general.sampling.temp": 0.6, "general.sampling.top_k": 20, "general.sampling.top_p": 9.0, "other": 1}
    assert gguf_options(said) == {"temperature": 0.6, "top_k": 20}
    assert folder_options(tmp_path) == {}
    generation = {"temperature": 0.6, "top_k": 20, "repetition_penalty": 1.1, "eos_token_id": 2, "min_p": None}
    (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    assert folder_options(tmp_path) == {"temperature": 0.6, "top_k": 20, "repeat_penalty": 1.1}


async def test_a_name_with_a_source_is_pulled_from_there(user_home: Home, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "tiny.gguf")
    write(user_home, "mine.toml", f'source = "{tmp_path / "tiny.gguf"}"\nsystem = "Hello."')
    store = await Store.open(user_home)
    try:
        entry = await pull_model(user_home, "Mine", ignore, store, MetadataReader())
        assert (entry.name, entry.system) == ("mine", "Hello.")
        again = await pull_model(user_home, "mine", ignore, store, MetadataReader())
        assert again.blob == entry.blob
    finally:
        await store.close()
