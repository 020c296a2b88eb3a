"""A temporary folder: made when it is asked for, gone when its context ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from humobctl.errors import HumobError
from humobctl.io.scratch import Scratch
from tests.messages import raises


def test_the_folder_is_made_when_asked_for_and_goes_with_the_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Scratch() as owner:
        assert not owner.has_scratch
        assert not list(tmp_path.iterdir())
        (owner.scratch / "rows").write_bytes(b"1")
        assert owner.has_scratch
        assert list(tmp_path.iterdir()) == [owner.scratch]
    assert not list(tmp_path.iterdir())


def test_no_room_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with Scratch() as owner, raises(HumobError, "temporary files", "No such file"):
        _ = owner.scratch
    assert not owner.has_scratch
