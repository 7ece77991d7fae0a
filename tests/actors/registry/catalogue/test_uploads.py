from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.files import DigestMismatch
from mlxr.actors.registry.catalogue.uploads import BlobWriter, has_blob
from mlxr.runtime.errors import PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under

DIGEST = "sha256:" + hashlib.sha256(b"two pieces").hexdigest()


def test_an_upload_in_pieces_becomes_a_file_by_its_digest(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert not has_blob(home, DIGEST)
    with BlobWriter(home, DIGEST, 10) as blob:
        blob.write(b"two ")
        blob.write(b"pieces")
        path = blob.commit()
    assert path.read_bytes() == b"two pieces"
    assert has_blob(home, DIGEST)
    assert files_under(home.models) == [f"uploads/{path.name}"]


def test_other_bytes_than_announced_are_refused_and_removed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with BlobWriter(home, DIGEST) as blob:
        blob.write(b"something else")
        with pytest.raises(DigestMismatch, match=DIGEST.removeprefix("sha256:")):
            blob.commit()
    assert files_under(home.models) == []


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with BlobWriter(home, DIGEST) as blob:
        blob.write(b"two ")
    assert files_under(home.models) == []


@pytest.mark.parametrize(
    "digest", ["", "sha256:12", "md5:" + "0" * 32, "sha256:" + "g" * 64, "sha256:../../" + "0" * 58]
)
def test_what_is_no_digest_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ValueError, match="no digest"):
        BlobWriter(Home(tmp_path), digest)
    with pytest.raises(ValueError, match="no digest"):
        has_blob(Home(tmp_path), digest)


def test_an_upload_larger_than_the_disk_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(files.OutOfSpace, match="needed"):
        BlobWriter(Home(tmp_path), DIGEST, 1 << 60)


def test_a_disk_that_fills_up_during_an_upload_is_left_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "sync", full)
    home = Home(tmp_path)
    with BlobWriter(home, DIGEST) as blob:
        blob.write(b"two pieces")
        with pytest.raises(files.OutOfSpace, match="no space left"):
            blob.commit()
    assert files_under(home.models) == []


def test_an_upload_where_nothing_can_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PullError, match="Read-only file system; set MLXR_HOME"), BlobWriter(Home(tmp_path), DIGEST):
        pass
