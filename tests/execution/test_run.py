"""Runs in parts: which are kept, what goes on, what is refused."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from humobctl.errors import HumobError, UsageError
from humobctl.execution.part_store import PartFolder
from humobctl.execution.run import LONG, LongRun
from humobctl.execution.task import Done, TaskPart
from humobctl.tables.schemas import GRID
from tests.messages import raises, says


@dataclass
class Doubling:
    """Doubles numbers; ``seen`` are those that it did, ``fails`` one that it cannot."""

    seen: list[int]
    fails: int = -1

    def open(self):
        def work(payload, moved):
            if payload == self.fails:
                raise HumobError(f"found {payload}")
            self.seen.append(payload)
            moved(1)
            return Done(pl.DataFrame({"x": [2 * payload]}), {"sum": payload}, 1)

        return work


def parts(count: int) -> list[TaskPart]:
    return [TaskPart(number, number, f"user {number}") for number in range(count)]


def run(output: Path | str | None, count: int = 4, fails: int = -1, about=None, **options):
    """The doubled numbers, and which were computed."""
    work, told = Doubling([], fails), []
    with LongRun(None if output is None else str(output), **options) as long:
        results = long.results(work, parts(count), lambda: about or {"seed": 1}, told.append)
        found = []

        def frames():
            for done in results:
                found.append(done.frame["x"][0])
                assert done.tally == {"sum": done.frame["x"][0] // 2}
                yield done.frame

        long.write(frames(), None)
    assert sum(told) == count
    return found, work.seen


def broken(output: Path, fails: int, count: int = 4, **options) -> None:
    with raises(HumobError, fails):
        run(output, count, fails, resume=True, **options)


def test_small_runs_leave_nothing_and_keep_nothing(tmp_path) -> None:
    assert run(tmp_path / "a.csv") == ([0, 2, 4, 6], [0, 1, 2, 3])
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    with raises(HumobError, 2):
        run(tmp_path / "b.csv", fails=2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_run_goes_on_where_it_ended(tmp_path, capsys) -> None:
    output = tmp_path / "a.csv"
    broken(output, 2)
    folder = tmp_path / "a.csv.parts"
    says(capsys.readouterr().err, str(folder), "2 finished parts", "--resume")
    assert not output.exists()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["job.json", "lock", "part-00000.parquet", "part-00001.parquet"]
    assert run(output, resume=True) == ([0, 2, 4, 6], [2, 3])
    assert not folder.exists()
    assert output.read_text() == "x\n0\n2\n4\n6\n"


def test_a_long_run_keeps_its_parts_unasked(tmp_path) -> None:
    with raises(HumobError, 20):
        run(tmp_path / "a.csv", LONG + 9, fails=20)
    found, computed = run(tmp_path / "a.csv", LONG + 9, resume=True)
    assert found == [2 * number for number in range(LONG + 9)]
    assert computed == list(range(20, LONG + 9))


def test_an_unfinished_run_is_neither_lost_nor_mixed(tmp_path) -> None:
    output = tmp_path / "a.csv"
    broken(output, 3)
    with raises(HumobError, "a.csv.parts", "unfinished", "--resume"):
        run(output)
    with raises(HumobError, "seed", 2, 1, "--resume"):
        run(output, resume=True, about={"seed": 2})
    other = [TaskPart(0, 7, "user 7")]
    with (
        LongRun(str(output), resume=True) as long,
        raises(HumobError, "other data", "part 0", "user 7"),
    ):
        list(long.results(Doubling([]), other, lambda: {"seed": 1}, lambda _: None))
    assert run(output, overwrite=True) == ([0, 2, 4, 6], [0, 1, 2, 3])


def test_parts_of_another_size_are_refused(tmp_path, monkeypatch) -> None:
    broken(tmp_path / "a.csv", 3)
    monkeypatch.setenv("HUMOBCTL_PART_ROWS", "77")
    with raises(HumobError, "part_rows", 77, 0):
        run(tmp_path / "a.csv", resume=True)


def test_half_a_part_never_counts(tmp_path) -> None:
    output, folder = tmp_path / "a.csv", tmp_path / "a.csv.parts"
    broken(output, 2)
    half = (folder / "part-00001.parquet").read_bytes()[:50]
    (folder / ".part-00002.parquet").write_bytes(half)
    (folder / "lock").write_text("4242")
    (tmp_path / ".a.csv.4242.part").write_text("x\n0\n")
    assert run(output, resume=True) == ([0, 2, 4, 6], [2, 3])
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_damaged_part_is_named(tmp_path) -> None:
    broken(tmp_path / "a.csv", 2)
    part = tmp_path / "a.csv.parts" / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:50])
    with raises(HumobError, "part-00001.parquet", "damaged"):
        run(tmp_path / "a.csv", resume=True)


def test_parts_that_belong_to_no_run_are_thrown_away(tmp_path) -> None:
    """A kill while the folder was removed: job.json goes last, so nobody knows these parts."""
    broken(tmp_path / "a.csv", 2)
    (tmp_path / "a.csv.parts" / "job.json").unlink()
    assert run(tmp_path / "a.csv", resume=True)[1] == [0, 1, 2, 3]


def test_a_kill_after_the_output_was_written_changes_nothing(tmp_path) -> None:
    output = tmp_path / "a.csv"
    with LongRun(str(output), resume=True) as long:
        list(long.results(Doubling([]), parts(4), lambda: {"seed": 1}, lambda _: None))
    output.write_text("x\n0\n2\n4\n6\n")
    assert run(output, resume=True) == ([0, 2, 4, 6], [])
    assert output.read_text() == "x\n0\n2\n4\n6\n"
    assert not (tmp_path / "a.csv.parts").exists()


def test_two_runs_into_one_output_do_not_mix(tmp_path) -> None:
    output, folder = tmp_path / "a.csv", tmp_path / "a.csv.parts"
    first = PartFolder(folder, output, resume=True, overwrite=False)
    first.check({"seed": 1})
    for options in ({"resume": True}, {"overwrite": True}):
        with raises(HumobError, "another run", "process") as caught:
            run(output, **options, count=LONG + 1)
        says(str(caught.value), os.getpid())
    first.close()
    assert run(output, resume=True)[0] == [0, 2, 4, 6]


def test_a_folder_keeps_its_parts(tmp_path) -> None:
    output = tmp_path / "days"
    assert run(f"{output}/")[0] == [0, 2, 4, 6]
    names = sorted(path.name for path in output.iterdir())
    assert names == ["_SUCCESS", *(f"part-0000{number}.parquet" for number in range(4))]
    assert pl.read_parquet(output / "*.parquet")["x"].to_list() == [0, 2, 4, 6]
    assert [path.name for path in tmp_path.iterdir()] == ["days"]
    with raises(HumobError, "days", "not empty"):
        run(f"{output}/")
    (tmp_path / "new").mkdir()
    broken(tmp_path / "new", 1)
    assert run(tmp_path / "new", resume=True)[1] == [1, 2, 3]
    with raises(UsageError, "--format csv", "Parquet"):
        LongRun(f"{tmp_path}/other/").write(iter([pl.DataFrame()]), GRID, "csv")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"output": "a", "resume": True, "overwrite": True}, ("--resume", "--overwrite")),
        ({"resume": True}, ("--resume", "--output")),
        ({"output": "-", "resume": True}, ("--resume", "--output")),
        ({"output": "/dev/null", "resume": True}, ("--resume", "--output")),
        ({"workers": 2}, ("--workers", "--engine ray")),
        ({"address": "auto"}, ("--address", "--engine ray")),
    ],
)
def test_options_that_do_not_go_together(options, names) -> None:
    with raises(UsageError, *names):
        LongRun(**options)


def test_the_note_says_what_the_run_is(tmp_path) -> None:
    broken(tmp_path / "a.csv", 1)
    note = json.loads((tmp_path / "a.csv.parts" / "job.json").read_text())
    assert note.keys() == {"seed", "part_rows", "part_users", "version", "polars"}
