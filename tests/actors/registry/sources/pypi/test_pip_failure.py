from __future__ import annotations

from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.sources.pypi.package import Package
from mlxr.actors.registry.sources.pypi.pip_failure import why_pip_failed


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError("
            '"HTTPConnection(): Failed to establish a new connection: [Errno 111] Connection refused")\'',
            "did not answer (Connection refused); check the network",
        ),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError(\"HTTPSConnectionPool("
            "host='x', port=443): Read timed out. (read timeout=15.0)\")': /simple/x/",
            "did not answer (Read timed out)",
        ),
        ("ERROR: Wheel 'x' located at /tmp/pip-unpack-3/x.whl is invalid.", "was cut short; pull again"),
    ],
)
def test_what_pip_says_of_the_network_is_told_without_its_workings(tmp_path: Path, line: str, says: str) -> None:
    said = str(why_pip_failed(Package("tiny", "1.0"), [line], tmp_path, 0))
    assert says in said
    assert "Retry(" not in said


def test_an_index_without_the_package_is_not_one_that_did_not_answer(tmp_path: Path) -> None:
    printed = [
        "Could not fetch URL https://pypi.org/simple/tiny/: 404 Client Error: Not Found for url: "
        "https://pypi.org/simple/tiny/ - skipping",
        "ERROR: Could not find a version that satisfies the requirement tiny==1.0 (from versions: none)",
    ]
    assert "knows no wheel of that name" in str(why_pip_failed(Package("tiny", "1.0"), printed, tmp_path, 0))


def test_pip_out_of_space_says_so(tmp_path: Path) -> None:
    printed = ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"]
    error = why_pip_failed(Package("tiny", "1.0"), printed, tmp_path, 1500)
    assert isinstance(error, files.OutOfSpace)
    assert error.needed == 3000


def test_what_pip_says_is_passed_on_where_nothing_better_is_known(tmp_path: Path) -> None:
    printed = ["Looking in links: /x", "ERROR: something odd", "ERROR: and more"]
    assert "pypi:tiny==1.0: something odd" in str(why_pip_failed(Package("tiny", "1.0"), printed, tmp_path, 0))
    assert "no reason" in str(why_pip_failed(Package("tiny", "1.0"), [], tmp_path, 0))
