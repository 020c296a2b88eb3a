"""Files of JSON that programs keep for themselves."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from humobctl.errors import HumobError
from humobctl.execution.part_store import JOB, PartFolder
from humobctl.io.json_files import read_json, read_json_lines
from humobctl.training.training_dir import NOTE, open_training_dir
from tests.messages import raises

BROKEN = ["", "{", "[1]", "[" * 100_000, '{"a": ' + "1" * 5000 + "}", "\ud800"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_damaged_object_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, errors="surrogatepass")
    with raises(HumobError, "a.json", "expected an object; do this"):
        read_json(tmp_path / "a.json", "; do this")


def test_damaged_lines_of_a_log_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"step": 1}\n\n7\n\ufffd\n{"step": 2}\n{"st')
    assert read_json_lines(tmp_path / "a.jsonl") == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize("text", BROKEN)
def test_a_damaged_note_of_what_a_run_was_says_how_to_start_anew(tmp_path: Path, text: str) -> None:
    for name in (JOB, NOTE):
        (tmp_path / name).write_text(text, errors="surrogatepass")
    with raises(HumobError, "job.json", "--overwrite"):
        open_training_dir(tmp_path, {}, resume=True, overwrite=False, unfinished=True)
    with (
        closing(PartFolder(tmp_path, tmp_path / "o.csv", resume=True, overwrite=False)) as folder,
        raises(HumobError, "job.json", "--overwrite"),
    ):
        folder.check({})
