"""Presets: system prompts and parameters under names."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.ui.presets.handlers import PresetList, SavePresetRequest, delete_preset, read_presets, save_preset

ROUTES = (
    Route("GET", "/api/ui/presets", read_presets, "Every preset, by name", gives=PresetList, tag="ui"),
    Route(
        "POST",
        "/api/ui/presets",
        save_preset,
        "Add a preset, or replace the one of that name",
        takes=SavePresetRequest,
        gives=PresetList,
        tag="ui",
    ),
    Route("DELETE", "/api/ui/presets/{name}", delete_preset, "Forget a preset", gives=PresetList, tag="ui"),
)
