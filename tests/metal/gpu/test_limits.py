"""Kernels stay within what Apple's GPUs have."""

from __future__ import annotations

import pytest

from tests.metal.gpu.limits import MOST_MEMORY, MOST_REGISTERS, MOST_THREADS, Use, uses


@pytest.fixture(scope="module")
def found() -> list[Use]:
    return uses()


def test_a_threadgroup_has_room_for_every_kernel(found: list[Use]) -> None:
    assert all(use.threads <= MOST_THREADS and use.threads % 32 == 0 for use in found)
    assert all(use.memory <= MOST_MEMORY for use in found)


def test_no_kernel_has_more_variables_than_registers(found: list[Use]) -> None:
    assert [use.kernel for use in found if use.registers > MOST_REGISTERS] == []


def test_no_kernel_has_numbers_that_metal_lacks(found: list[Use]) -> None:
    assert [use.kernel for use in found if use.doubles] == []
