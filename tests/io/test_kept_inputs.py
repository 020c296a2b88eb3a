"""No output over an input; modes and links of outputs; file systems without locks."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import polars as pl
import pytest

import humobctl as hm
from humobctl.errors import UsageError
from humobctl.io.output_lock import _warn_of_no_locks
from tests.conftest import Cli
from tests.messages import fails, raises, says

LOST = ("input", "overwrite", "another name")
COMMANDS = {
    "eval": ("eval", "predicted.csv", "--truth", "city.csv", "-f", "csv", "-o"),
    "detail": ("eval", "predicted.csv", "--truth", "city.csv", "--detail"),
    "mask": ("data", "mask", "city.csv", "--from-day", "60", "-o"),
    "predict": ("predict", "city.csv", "--from-day", "74", "-o"),
    "import": ("data", "import", "city.csv", "-o"),
    "split": ("data", "split", "city.csv", "--test", "test.csv", "--train"),
}


@pytest.mark.parametrize("name", ["city.csv", "./city.csv", "link.csv", "hard.csv"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_output_over_an_input(cli: Cli, workdir: Path, command: str, name: str) -> None:
    (workdir / "link.csv").symlink_to("city.csv")
    (workdir / "hard.csv").hardlink_to(workdir / "city.csv")
    before = (workdir / "city.csv").read_bytes()
    done = cli(*COMMANDS[command], name, cwd=workdir)
    fails(done, *LOST, code=2, notes=True)
    assert (workdir / "city.csv").read_bytes() == before
    assert not [path for path in workdir.iterdir() if path.name.startswith(".")]


def test_no_output_over_any_of_several_inputs(cli: Cli, workdir: Path) -> None:
    gravity = ("generate", "gravity", "plans.csv", "--places", "places.csv", "-o")
    flows = ("generate", "flows", "counties.csv", "--fit", "commuting.csv")
    for command in (
        (*gravity, "places.csv"),
        (*gravity, "plans.csv"),
        (*flows, "-o", "commuting.csv"),
        (*flows, "--save-law", "counties.csv", "-o", "made.csv"),
        ("embed", "embeddings.parquet", "--pca", "2", "-o", "embeddings.parquet"),
        ("intend", "profiles.csv", "-o", "profiles.csv"),
        ("embed", "city.csv", "--model", "embedder", "-o", "embedder/config.json", "-f", "csv"),
    ):
        fails(cli(*command, cwd=workdir), *LOST, code=2, notes=True)


def test_the_library_keeps_the_inputs_of_a_call_alone(workdir: Path) -> None:
    path = workdir / "city.csv"
    with raises(UsageError, *LOST):
        hm.mask(path, from_day=60, output=path)
    table = hm.read(path)
    hm.write(table.head(3), path)  # what was read before may be written over
    assert pl.read_csv(path).height == 3


def test_an_output_keeps_its_mode(cli: Cli, workdir: Path) -> None:
    for name, mode in (("a.csv", 0o640), ("b.parquet", 0o600)):
        out = workdir / name
        out.touch()
        out.chmod(mode)
        assert (
            cli("data", "mask", "city.csv", "--from-day", "60", "-o", name, cwd=workdir).code == 0
        )
        assert out.stat().st_mode & 0o777 == mode
        assert out.stat().st_size


@pytest.mark.parametrize("there", [True, False])
def test_an_output_is_written_through_a_link(cli: Cli, workdir: Path, there: bool) -> None:
    folder = workdir / "elsewhere"
    folder.mkdir()
    if there:
        (folder / "real.csv").write_text("old\n")
    (workdir / "link.csv").symlink_to("elsewhere/real.csv")
    done = cli("data", "mask", "city.csv", "--from-day", "60", "-o", "link.csv", cwd=workdir)
    assert done.code == 0
    assert (workdir / "link.csv").is_symlink()
    assert (folder / "real.csv").read_bytes() == (workdir / "challenge.csv").read_bytes()
    assert [path.name for path in folder.iterdir()] == ["real.csv"]


def test_links_in_a_circle(cli: Cli, workdir: Path) -> None:
    (workdir / "a.csv").symlink_to("b.csv")
    (workdir / "b.csv").symlink_to("a.csv")
    fails(cli("data", "mask", "city.csv", "-o", "a.csv", cwd=workdir), "a.csv", "links")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_systems_without_locks(
    cli: Cli, workdir: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    quick = ("predict", "challenge.csv", "--model", "slot-mode", "--decode", "argmax")
    expected = cli(*quick, cwd=workdir)
    monkeypatch.setattr(fcntl, "flock", refuse)
    _warn_of_no_locks.cache_clear()
    for extra in ((), ("--resume",)):
        done = cli(*quick, *extra, "-o", "out.parquet", cwd=workdir)
        assert done.code == 0, done.err
    says(done.err or "warning: no locks", "no locks")
    assert not [path for path in workdir.iterdir() if path.name.startswith(".")]
    assert pl.read_parquet(workdir / "out.parquet").rows() == pl.read_csv(expected.raw).rows()
