"""Two runs and one output; what killed runs leave; folders that replace others."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from humobctl.errors import HumobError
from humobctl.io.output_lock import replace_folder, reserve, reserve_early
from humobctl.io.streams import whole_file
from humobctl.training import model_dir
from humobctl.training.model_dir import Checkpoint
from tests.conftest import Cli, environment
from tests.messages import fails, raises

WRITER = """
import sys
from humobctl.io.streams import whole_file
with whole_file(sys.argv[1]) as place:
    place.write_text("first")
    print("writing", flush=True)
    sys.stdin.read()
"""
RIVAL = """
import os, sys
from humobctl.io.output_lock import reserved
from humobctl.errors import HumobError
held = refused = 0
while held < 100:
    try:
        with reserved(sys.argv[1]):
            os.close(os.open(sys.argv[2], os.O_CREAT | os.O_EXCL))
            os.unlink(sys.argv[2])
            held += 1
    except HumobError:
        refused += 1
print(held, refused)
"""
REFUSED = "another run"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def start(script: str, *arguments: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def test_the_second_run_is_refused_before_its_work(cli: Cli, workdir: Path) -> None:
    out = workdir / "out.csv"
    with start(WRITER, out) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "writing\n"
        for command in (
            ("data", "synth", "-n", "1", "-o", "out.csv"),
            ("data", "mask", "no such input", "-o", "out.csv"),
            ("predict", "no such input", "-o", "./out.csv"),
            ("data", "split", "no such input", "--train", "a.csv", "--test", "out.csv"),
        ):
            done = cli(*command, cwd=workdir)
            assert done.out == ""
            fails(done, command[-1], REFUSED)
        assert cli("data", "synth", "-n", "1", "-o", "other.csv", cwd=workdir).code == 0
        first.communicate()
    assert first.returncode == 0
    assert out.read_text() == "first"
    assert not [name for name in names(workdir) if name.startswith(".")]
    assert cli("data", "synth", "-n", "1", "-o", "out.csv", cwd=workdir).code == 0


def test_a_killed_run_is_in_nobodys_way(cli: Cli, tmp_path: Path) -> None:
    with start(WRITER, tmp_path / "out.csv") as first:
        assert first.stdout is not None
        first.stdout.readline()
        first.send_signal(signal.SIGKILL)
    assert names(tmp_path) == [f".out.csv.{first.pid}.part", ".out.csv.lock"]
    (tmp_path / ".out.csv.notes.part").touch()  # somebody else's
    done = cli("data", "synth", "-n", "1", "--days", "2", "-o", "out.csv", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert names(tmp_path) == [".out.csv.notes.part", "out.csv"]


def test_never_two_at_once(tmp_path: Path) -> None:
    rivals = [start(RIVAL, tmp_path / "out", tmp_path / "alone") for _ in range(3)]
    ends = [rival.communicate()[0].split() for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0, 0, 0]
    assert [end[0] for end in ends] == ["100"] * 3
    assert names(tmp_path) == []


def test_a_process_may_hold_an_output_twice(tmp_path: Path) -> None:
    with reserve(tmp_path / "a"):
        with reserve(tmp_path / "." / "a"), whole_file(tmp_path / "a") as place:
            place.write_text("x")
        assert names(tmp_path) == [".a.lock", "a"]
    assert names(tmp_path) == ["a"]


def test_model_dirs_are_held_while_they_are_trained(
    process_cli: Cli, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reserve(workdir / "ranker"):
        done = process_cli("train", "ranker", "no such input", "--output", "ranker", cwd=workdir)
        fails(done, "ranker", REFUSED)
    monkeypatch.setenv("RANK", "1")  # the second process of one training
    monkeypatch.setenv("WORLD_SIZE", "2")
    with reserve(workdir / "ranker"):
        assert not (workdir / ".ranker.lock").exists()


def test_a_model_dir_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_dir.save(Checkpoint("m", {"n": 1}, {}), tmp_path / "m")
    rename = Path.rename

    def no_second(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(errno.EROFS, "Read-only file system")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", no_second)
    with raises(HumobError, "m:", "Read-only file system"):
        model_dir.save(Checkpoint("m", {"n": 2}, {}), tmp_path / "m", overwrite=True)
    assert model_dir.load(tmp_path / "m").config == {"n": 1}
    assert names(tmp_path) == ["m"]


def test_a_folder_that_was_moved_away_comes_back(tmp_path: Path) -> None:
    """A run that was killed between the two renames has left the old one whole."""
    (tmp_path / ".m.123.old").mkdir()
    (tmp_path / ".m.123.old" / "run.json").touch()
    (tmp_path / ".m.123.part").mkdir()
    with reserve(tmp_path / "m"):
        pass
    assert names(tmp_path) == ["m"]
    (tmp_path / ".m.124.old").mkdir()
    with reserve(tmp_path / "m"):
        pass
    assert names(tmp_path) == ["m"]
    assert names(tmp_path / "m") == ["run.json"]


def test_file_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with reserve(tmp_path / "a"):
        assert names(tmp_path) == []


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".a.lock").symlink_to(tmp_path / "elsewhere")
    with raises(HumobError, "a:", "Too many levels of symbolic links"):
        reserve(tmp_path / "a").__enter__()
    assert names(tmp_path) == [".a.lock"]


def test_what_is_no_place_for_a_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (None, "-", "/dev/null", "/dev/stdout", str(tmp_path / "no" / "a"), "a" * 5000):
        with reserve_early(path):
            assert not Path(".-.lock").exists()
    with reserve_early(str(tmp_path / "pipe")):
        assert names(tmp_path) == ["pipe"]


def test_a_folder_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("out", ".out.1.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    rename = Path.rename

    def no_second(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output"):
        patch.setattr(Path, "rename", no_second)
        replace_folder(tmp_path / ".out.1.part", tmp_path / "out")
    assert (tmp_path / "out" / "out").exists()
    replace_folder(tmp_path / ".out.1.part", tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", ".out.1.part"]
