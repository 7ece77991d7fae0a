from __future__ import annotations

import pytest

from mlxr.actors.registry.ollama import address
from mlxr.actors.registry.ollama.address import RegistryAt, registry_url
from mlxr.actors.registry.ollama.name import OllamaName, parse_name
from mlxr.runtime.errors import ConfigError, PullError


def named(text: str) -> OllamaName:
    name = parse_name(text)
    assert name is not None
    return name


def test_a_name_without_a_host_leads_where_the_configuration_says() -> None:
    assert str(registry_url(named("llama3.2:1b"), RegistryAt())) == address.DEFAULT_REGISTRY
    assert str(registry_url(named("me/mine"), RegistryAt("http://box:5000"))) == "http://box:5000"
    assert str(registry_url(named("example.com/me/mine"), RegistryAt("http://box:5000"))) == "https://example.com"
    with pytest.raises(ConfigError, match=r"models\.registry is 'box'"):
        registry_url(named("llama3.2"), RegistryAt("box"))


def test_a_registry_without_tls_needs_to_be_allowed_but_on_this_machine() -> None:
    with pytest.raises(PullError, match="--insecure"):
        registry_url(named("http://example.com/me/mine:v1"), RegistryAt())
    allowed = RegistryAt(insecure=True)
    for name in ("http://example.com/me/mine:v1", "example.com/me/mine:v1"):
        assert str(registry_url(named(name), allowed)) == "http://example.com"
    for host in ("localhost:5000", "127.0.0.1:5000", "[::1]:5000"):
        assert registry_url(named(f"http://{host}/me/mine:v1"), RegistryAt()).scheme == "http"
