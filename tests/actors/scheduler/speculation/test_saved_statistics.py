from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from mlxr.actors.scheduler.speculation import StepCost
from mlxr.actors.scheduler.speculation.acceptance import Acceptance
from mlxr.actors.scheduler.speculation.engine import EngineSpeculation, speculation
from mlxr.actors.scheduler.speculation.origins import DraftKind, Origin, Part
from mlxr.actors.scheduler.speculation.saved_statistics import restore, saved_text
from mlxr.actors.scheduler.speculation.step_times import StepTimes
from mlxr.actors.scheduler.speculation_file import SpeculationFile
from mlxr.actors.scheduler.speculation_section import SpeculationSection
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind

LOOKUP = Part(Origin(DraftKind.LOOKUP, 4), 4)


def engine() -> EngineSpeculation:
    made = speculation(SpeculationSection())
    assert made is not None
    return made


def learned(made: EngineSpeculation) -> EngineSpeculation:
    for tokens in (1, 8, 32) * 20:
        made.depths.observed(StepCost(1, tokens, 0, tokens - 1, 0.01 * tokens, 0.002))
    for _ in range(50):
        made.depths.acceptance.add(1, [LOOKUP], 4, 0)
    return made


def test_there_is_no_speculation_where_it_is_off() -> None:
    assert speculation(SpeculationSection(enabled=False)) is None


def test_what_was_learned_is_there_after_the_next_start(tmp_path: Path) -> None:
    first, again = learned(engine()), engine()
    file = SpeculationFile(tmp_path, first)
    file.opened(["model", "cpu"])
    anyio.run(file.keep)
    SpeculationFile(tmp_path, again).opened(["model", "cpu"])
    assert again.depths.times.at(0) == pytest.approx(first.depths.times.at(0), rel=0.01)
    assert again.depths.times.waits == first.depths.times.waits
    rates = [made.depths.acceptance.rate(9, DraftKind.LOOKUP, 2) for made in (first, again)]
    assert rates[0] == pytest.approx(rates[1], abs=1e-3)


def test_what_a_drafter_s_passes_take_is_known_of_that_drafter_alone(tmp_path: Path) -> None:
    first, again, other = learned(engine()), engine(), engine()
    drafter = DrafterInfo(DrafterKind.DRAFT_MODEL, 0.1, "small")
    first.device.times.observed(1, 0.003)
    file = SpeculationFile(tmp_path, first)
    file.opened(["model", "cpu"], drafter)
    anyio.run(file.keep)
    SpeculationFile(tmp_path, again).opened(["model", "cpu"], drafter)
    SpeculationFile(tmp_path, other).opened(["model", "cpu"])
    assert again.device.times.at(0)[1] == pytest.approx(0.003)
    assert other.device.times.at(0) == []


def test_another_device_begins_with_nothing(tmp_path: Path) -> None:
    first, other = learned(engine()), engine()
    file = SpeculationFile(tmp_path, first)
    file.opened(["model", "cpu"])
    anyio.run(file.keep)
    SpeculationFile(tmp_path, other).opened(["model", "mlx"])
    assert other.depths.times.at(0) == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format":1}', '{"format":9,"curves":[],"waits":[0,0],"tallies":[]}',
     '{"format":1,"curves":[{"context":0,"seconds":{"1":-1}}],"waits":[0,0],"tallies":[]}',
     '{"format":1,"curves":[{"context":0,"seconds":{"7000":1}}],"waits":[0,0],"tallies":[]}',
     '{"format":1,"curves":[],"waits":[0,-1],"tallies":[]}', '{"format":1,"curves":[],"waits":[9e9,0],"tallies":[]}',
     '{"format":1,"curves":[],"waits":[0,0],"tallies":[{"kind":"lookup","group":2,"right":0,"of":-8}]}',
     '{"format":1,"curves":[],"waits":[0,0],"tallies":[{"kind":"lookup","group":2,"right":3,"of":2}]}'],
)  # fmt: skip
def test_a_damaged_file_or_one_of_another_version_tells_nothing(text: str) -> None:
    times, acceptance = StepTimes(), Acceptance()
    assert not restore(text, times, acceptance, StepTimes())
    assert times.at(0) == []


def test_what_is_kept_is_read_by_people_too() -> None:
    made = learned(engine())
    assert '"seconds":{"1":' in saved_text(made.depths.times, made.depths.acceptance, made.device.times)


def test_a_folder_that_can_t_be_written_costs_what_was_learned_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = SpeculationFile(tmp_path / "file" / "folder", learned(engine()))
    file.opened(["model"])
    anyio.run(file.keep)
