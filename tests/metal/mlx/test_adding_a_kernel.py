"""A walk through docs/adding/kernel.md, with the page's example: a way of its own, a check, and another way without."""

from __future__ import annotations

from dataclasses import fields

from mlxr.metal.mlx.checks import CHECKS
from mlxr.metal.mlx.device import Ways

ALWAYS = {"wide_sums", "masked_queries"}
"""What a device needs or lacks, which no kernel brings."""


def test_every_kernel_that_is_a_choice_is_held_against_the_reference_on_the_device() -> None:
    choices = {field.name for field in fields(Ways) if field.type in ("bool", bool)} - ALWAYS
    assert "paged_decode" in choices
    assert choices == set(CHECKS)
