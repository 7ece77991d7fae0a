from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue.aliases import BUILT_IN
from mlxr.actors.registry.sources.fallback_source import FallbackSource
from mlxr.actors.registry.sources.find import find_source
from mlxr.actors.registry.sources.huggingface.source import HubSource
from mlxr.actors.registry.sources.local import LocalSource
from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.actors.registry.sources.pypi.source import PackageSource
from mlxr.actors.registry.sources.web_address import WebSource
from mlxr.runtime.errors import ModelNotFound


@pytest.mark.parametrize("alias", BUILT_IN, ids=lambda alias: alias.name)
def test_an_alias_and_its_source_mean_the_same(alias: object) -> None:
    built_in = next(each for each in BUILT_IN if each is alias)
    assert find_source(built_in.name.upper() + ":latest") == find_source(built_in.source)
    source = find_source(built_in.name)
    assert isinstance(source, PackageSource)
    assert source.alias == built_in
    assert len(built_in.digest) == 64


@pytest.mark.parametrize("spelled", ["pypi:My_Model==1.0", "pypi:my-model == 1.0", "pypi: my.model==1.0"])
def test_spellings_of_one_package_share_a_job(spelled: str) -> None:
    assert find_source(spelled).spelled == "pypi:my-model==1.0"
    assert find_source(spelled).name == "my-model"


def test_without_a_version_the_latest_is_meant() -> None:
    assert find_source("pypi:my-model") == PackageSource(Package("my-model"))


def test_a_version_is_written_as_pip_writes_it_and_can_name_no_archive() -> None:
    assert Package("A.zip", "v1.0.RC1+Local_2").requirement == "a-zip==1.0rc1+local.2"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("smollm2", PackageSource),
        ("hf.co/org/repo", HubSource),
        ("https://huggingface.co/org/repo/blob/main/x.gguf", HubSource),
        ("https://host/org/repo/x.gguf", WebSource),
        ("http://host/x", WebSource),
        ("org/repo/x.gguf", LocalSource),
        ("./org/repo", LocalSource),
        ("org/repo", FallbackSource),
        ("org/repo:q4_k_m", FallbackSource),
    ],
)
def test_a_name_means_the_first_kind_in_a_fixed_order(name: str, kind: type) -> None:
    assert type(find_source(name)) is kind


def test_a_file_gets_its_own_name() -> None:
    wanted = find_source("/models/My Model.Q4.gguf")
    assert (wanted.name, wanted) == ("My-Model.Q4", LocalSource(Path("/models/My Model.Q4.gguf")))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "pypi:",
        "pypi:a b",
        "pypi:a>=1",
        "pypi:--index-url",
        "pypi:-r/etc/passwd",
        "pypi:a==1 --pre",
        "pypi:a==--pre",
        "pypi:a==1/../../dir",
        "pypi:a==1.*",
        "pypi:a==1;os_name=='x'",
        "pypi:a @ file:///dir",
        "pypi:a@file:///dir",
        "pypi:a[extra]==1",
        "pypi:a==1#sha256=0",
        "pypi:../dir",
        "pypi:./dir",
        "pypi:a\n--pre",
        "pypi:a==1\n-r x",
        "pypi:é==1",
        "pypi:a==１",
        "pypi:a==" + "1" * 5000,
        "pypi:" + "a" * 5000,
    ],
)
def test_anything_else_is_refused_with_what_works(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"pypi:[A-Z]+==VERSION"):
        find_source(name)
