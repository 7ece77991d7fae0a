"""Damaged quantized folders, from their headers to the last weight: nothing but an error of mlxr's own."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.errors import UnusableModelError
from mlxr.models.loading import load_model
from tests.models.architectures.checkpoints import config_of, write_folder
from tests.models.formats.quantized.writers import SCHEMES, quantized_folder
from tests.models.formats.raw import Raw, read_raw, write_raw

JUNK = st.sampled_from([None, 0, 1, -1, 3, 7, 4.5, 1 << 40, True, "", "x", "re:(", [], [0, 0], [128], {}, {"a": 1}])
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "I32": 4, "U32": 4, "I64": 8, "F8_E4M3": 1}
CONFIG = {**config_of("qwen3"), "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 32}


@pytest.fixture(scope="module", params=list(SCHEMES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    plain = write_folder(made / "plain", CONFIG)
    return quantized_folder(plain, made / "quantized", SCHEMES[request.param])


def load(path: Path) -> None:
    with suppress(UnusableModelError):
        load_model(path, ReferenceBackend())


def places(settings: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested settings."""
    inner = (
        settings.items() if isinstance(settings, dict) else enumerate(settings) if isinstance(settings, list) else []
    )
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_settings_that_make_no_sense(folder: Path, tmp_path: Path, data: st.DataObject) -> None:
    config = json.loads((folder / "config.json").read_text())
    key = "quantization" if "quantization" in config else "quantization_config"
    place = data.draw(st.sampled_from(places(config[key])))
    inner: Any = config
    for step in (key, *place)[:-1]:
        inner = inner[step]
    inner[(key, *place)[-1]] = data.draw(JUNK)
    write(tmp_path, config, read_raw(folder / "model.safetensors"))
    load(tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_tensors_of_other_types_and_shapes(folder: Path, tmp_path: Path, data: st.DataObject) -> None:
    tensors = read_raw(folder / "model.safetensors")
    for name in data.draw(st.lists(st.sampled_from(sorted(tensors)), min_size=1, max_size=2)):
        if data.draw(st.booleans()):
            tensors.pop(name, None)
        else:
            tensors[name] = changed(tensors.get(name, Raw("F32", (1,), bytes(4))), data)
    write(tmp_path, json.loads((folder / "config.json").read_text()), tensors)
    load(tmp_path)


def changed(raw: Raw, data: st.DataObject) -> Raw:
    dtype = data.draw(st.sampled_from(sorted(SIZES)))
    shape = list(raw.shape) or [1]
    match data.draw(st.sampled_from(["size", "more", "fewer", "type", "bytes"])):
        case "size":
            shape[data.draw(st.integers(0, len(shape) - 1))] = data.draw(st.sampled_from([1, 2, 3, 8, 33, 64]))
        case "more":
            shape = [*shape, data.draw(st.sampled_from([1, 2]))]
        case "fewer":
            shape = shape[1:]
        case "bytes":  # the same form, another content
            size = len(raw.data)
            return Raw(raw.dtype, raw.shape, np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes())
    count = int(np.prod(shape, dtype=np.int64))
    return Raw(dtype, tuple(shape), bytes(count * SIZES[dtype]))


def write(folder: Path, config: dict[str, Any], tensors: dict[str, Raw]) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    write_raw(folder / "model.safetensors", tensors)
