from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from mlxr.http.openapi import document
from mlxr.http.routes import ERROR_SCHEMAS, ROUTES
from tests.http.rig import rig


def made() -> dict[str, Any]:
    return json.loads(msgspec.json.encode(document(ROUTES, ERROR_SCHEMAS)))


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_route_is_described_once() -> None:
    paths = made()["paths"]
    assert sum(len(methods) for methods in paths.values()) == len(ROUTES)
    assert "/v1/models/{model}" in paths
    ids = [facts["operationId"] for methods in paths.values() for facts in methods.values()]
    assert len(set(ids)) == len(ids)


def test_what_answers_get_at_once_answers_head_without_a_body() -> None:
    paths = made()["paths"]
    alone = {path for path, methods in paths.items() if "head" in methods and "get" not in methods}
    assert alone == {"/api/blobs/{digest}"}
    streams = {path for path, methods in paths.items() if "get" in methods and "head" not in methods}
    assert streams == {route.path.partition(":")[0] for route in ROUTES if route.method == "GET" and route.streams}
    responses = [methods["head"]["responses"] for methods in paths.values() if "head" in methods]
    assert not any("content" in response for each in responses for response in each.values())


def test_every_reference_leads_somewhere() -> None:
    spec = made()
    known = {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}
    assert references(spec) <= known


def test_requests_are_described_by_what_decodes_them() -> None:
    spec = made()
    body = spec["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = spec["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert schema["required"] == ["messages"]
    assert {"model", "tool_choice"} <= schema["properties"].keys()


def test_what_a_query_may_have_is_described() -> None:
    paths = made()["paths"]
    (model,) = paths["/tokenizer_info"]["get"]["parameters"]
    assert model == {"name": "model", "in": "query", "schema": {"type": "string"}}
    assert {"limit", "after_id", "before_id"} <= {each["name"] for each in paths["/v1/models"]["get"]["parameters"]}


async def test_the_document_and_its_page_need_no_key_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["k"]) as r, aiohttp.ClientSession() as session:
        async with session.get(r.url + "/openapi.json") as response:
            assert (await response.json())["openapi"] == "3.1.0"
        async with session.get(r.url + "/docs") as response:
            assert response.content_type == "text/html"
            assert "://" not in await response.text()
