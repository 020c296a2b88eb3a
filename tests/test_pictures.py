"""The pictures of the docs: those that need no data are drawn, and all are shown somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "pictures"


def test_pictures_without_data_are_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from pictures import pipeline, scores, style

    monkeypatch.setattr(style, "PAGE", tmp_path)
    paths = [*pipeline.draw(), *scores.draw()]
    assert [path.name for path in paths] == [
        *("pipeline.png", "pipeline.svg"),
        *("scores.png", "scores.svg"),
    ]
    assert {row["city"] for row in scores.table()} == {"B", "C", "D"}
    for path in paths:
        assert path.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")


def test_every_picture_is_shown_and_together_they_are_small() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "".join(page.read_text() for page in pages)
    files = list(PAGE.iterdir())
    assert {path.stem for path in files if f"pictures/{path.stem}." not in text} == set()
    assert sum(path.stat().st_size for path in files) < 1_500_000
