"""Messages before they are sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.cli.run.modes import warn_of_images
from tests.processor_time import at_most


def test_a_picture_that_is_here_is_named_and_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.b.PNG").touch()
    warn_of_images(f"what is on {tmp_path}/a.b.PNG, on b.png and on .gif? \0.png {'x' * 5000}.jpeg")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mlxr: {tmp_path}/a.b.PNG is a picture")


def test_megabytes_without_a_space_are_looked_through_once(capsys: pytest.CaptureFixture[str]) -> None:
    with at_most(5):
        warn_of_images("a" * 4_000_000)
        warn_of_images(".png" * 1_000_000)
    assert capsys.readouterr().err == ""
