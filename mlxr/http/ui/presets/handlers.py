"""Handlers of ``/api/ui/presets``. The profile owns them; what parameters mean, the chats say."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from mlxr.http.fields import Fields
from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.runtime.messages.profile import DeletePreset, Preset, Profile, ProfileCommand, ReadProfile, SavePreset


class SavePresetRequest(Fields, frozen=True, kw_only=True):
    """``system``: null leaves a chat's own as it is."""

    name: Annotated[str, Meta(max_length=256)]
    system: str | None = None
    parameters: dict[str, Any] = {}


class PresetList(Struct, frozen=True, kw_only=True):
    presets: list[Preset]


async def read_presets(services: Services, body: None, request: web.Request) -> web.Response:
    return await _presets(services, ReadProfile())


async def save_preset(services: Services, body: SavePresetRequest, request: web.Request) -> web.Response:
    preset = Preset(name=body.name, system=body.system, parameters=body.parameters)
    return await _presets(services, SavePreset(preset))


async def delete_preset(services: Services, body: None, request: web.Request) -> web.Response:
    return await _presets(services, DeletePreset(request.match_info["name"]))


async def _presets(services: Services, command: ProfileCommand) -> web.Response:
    profile = msgspec.json.decode(await services.gateway.profile(command), type=Profile)
    return json_response(PresetList(presets=profile.presets))
