"""Cases of the routes for models and jobs."""

from __future__ import annotations

from mlxr.http.fields import Fields
from mlxr.http.ui.jobs import schema as jobs
from mlxr.http.ui.models import schema as models
from tests.http.cases.plain import Case, simple


def conversion(path: str) -> dict[str, Case]:
    return simple(
        path,
        model="other",
        format="mlx",
        type="Q4_K_M",
        requantize=True,
        pure=True,
        output_type="q8_0",
        embedding_type="q8_0",
        keep_output=True,
        tensor_types=["ffn=q8_0"],
        group=32,
    )


UI_MODELS: dict[type[Fields], dict[str, Case]] = {
    jobs.PullJob: simple("/api/ui/jobs/pull", model="other", insecure=True),
    jobs.ImportJob: {
        "from": Case("/api/ui/jobs/import", {"from": "lmstudio"}),
        "models": Case("/api/ui/jobs/import", {"models": ["tiny:1b"]}),
        "name": Case("/api/ui/jobs/import", {"name": "mine"}),
    },
    jobs.ConvertJob: {**conversion("/api/ui/jobs/convert"), **simple("/api/ui/jobs/convert", name="mine")},
    jobs.CreateJob: simple(
        "/api/ui/jobs/create",
        model="other",
        system="Talk like a pirate.",
        template="{{ x }}",
        parameters={"temperature": 0.1},
        license="MIT",
        quantize="Q4_K_M",
        **{"from": "none"},
    ),
    jobs.PushJob: simple("/api/ui/jobs/push", model="other", target="you/mine", insecure=True),
    jobs.ControlRequest: simple("/api/ui/jobs/{job}", action="retry"),
    models.LoadRequest: simple("/api/ui/models/load", model="other", keep_alive="2h", pin=True),
    models.UnloadRequest: simple("/api/ui/models/unload", model="other"),
    models.ConversionRequest: conversion("/api/ui/models/conversions"),
}
