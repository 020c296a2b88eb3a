"""What the system may refuse: full disks, read-only and forbidden places, broken models, caches.

Small file systems and other users need root, as in a container; those tests are skipped without it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from humobctl.console import report
from humobctl.embed.config import tiny
from humobctl.errors import HumobError
from humobctl.io import by_user, replayable
from humobctl.io.by_user import UserStore
from humobctl.io.read import read_table
from humobctl.io.replayable import Spool
from humobctl.io.streams import open_input, seekable
from humobctl.io.write import write_table
from humobctl.predict.city_profile import CityCounter
from humobctl.predict.ranker.config import RankerConfig
from humobctl.predict.ranker.features import NAMES
from humobctl.predict.ranker.model import (
    RankerNetwork,
    array_sizes,
    from_checkpoint,
    to_checkpoint,
)
from humobctl.tables.schemas import GRID
from humobctl.training import model_dir
from humobctl.training.model_dir import Checkpoint
from tests.conftest import Cli
from tests.messages import raises

RNG = np.random.default_rng(0)
ROWS = pl.DataFrame(
    {
        "uid": np.arange(100_000),
        "d": RNG.integers(0, 75, 100_000),
        "t": RNG.integers(0, 48, 100_000),
        "x": RNG.integers(1, 200, 100_000),
        "y": RNG.integers(1, 200, 100_000),
    }
).cast(GRID.dtypes)
"""Rows that do not pack: 400 KB in any format."""
Disk = Callable[[str], Path]


def visible(folder: Path) -> list[str]:
    """All that is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """``disk("size=200k")`` is a file system of its own."""
    made: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk{len(made)}"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip("needs the right to mount a file system, which this user has not")
        made.append(place)
        return place

    yield mount
    for place in made:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read and write everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.ndjson", "a.parquet", "a.arrow", "a/"])
def test_a_disk_that_fills_up(name: str, disk: Disk) -> None:
    place = disk("size=200k")
    with raises(HumobError, f"/{name}:", "No space left on device"):
        write_table(ROWS.iter_slices(10_000), f"{place}/{name}")
    assert visible(place) == []


def test_a_disk_that_fills_up_with_blocks(disk: Disk) -> None:
    place = disk("size=200k")
    with raises(HumobError, "No space left on device"):
        write_table(ROWS, f"{place}/a/", users_a_block=5000)
    assert visible(place) == []


def test_a_disk_that_fills_up_with_a_model(disk: Disk) -> None:
    place = disk("size=200k")
    model_dir.save(Checkpoint("m", {"n": 1}, {}), place / "m")
    big = Checkpoint("m", {"n": 2}, {"w": np.zeros(100_000)})
    with raises(HumobError, "m:", "No space left on device"):
        model_dir.save(big, place / "m", overwrite=True)
    assert visible(place) == ["m"]
    assert model_dir.load(place / "m").config == {"n": 1}


def test_no_room_for_temporary_files(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = disk("size=200k")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setattr(replayable, "IN_MEMORY_ROWS", 10)
    monkeypatch.setattr(by_user, "IN_MEMORY_ROWS", 10)
    with raises(HumobError, "temporary files", "No space left on device"):
        Spool(ROWS.iter_slices(50_000), "in")
    with (
        raises(HumobError, "temporary files", "No space left on device"),
        UserStore() as store,
    ):
        store.collect(ROWS.iter_slices(50_000))
    ROWS.write_csv(tmp_path / "a.csv.gz", compression="gzip")
    source = open_input(str(tmp_path / "a.csv.gz"))
    with raises(HumobError, "No space left on device"), seekable(source):
        pass
    source.close()
    assert visible(place) == []


def test_a_read_only_disk(disk: Disk, cli: Cli, workdir: Path) -> None:
    place = disk("size=9m")
    model_dir.save(Checkpoint("m", {}, {}), place / "m")
    shutil.copytree(workdir / "embedder", place / "embedder")
    write_table(ROWS[:5], f"{place}/in/")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    for name in ("a.csv", "a.parquet", "a/"):
        with raises(HumobError, f"/{name}:", "Read-only file system"):
            write_table(ROWS, f"{place}/{name}")
    with raises(HumobError, "m:", "Read-only file system"):
        model_dir.save(Checkpoint("m", {}, {}), place / "m", overwrite=True)
    assert read_table(f"{place}/in").height == 5
    # Caches, temporary files and the model itself may lie where nothing can be written.
    caches = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "MPLCONFIGDIR", "TMPDIR")
    env = {**dict.fromkeys(caches, str(place)), "PYTHONDONTWRITEBYTECODE": "1"}
    for command in (
        ("embed", "city.csv", "--model", str(place / "embedder"), "--output", "v.parquet"),
        ("data", "describe", "city.csv", "--plot", "city.png"),
    ):
        done = cli(*command, cwd=workdir, env=env)
        assert done.code == 0, done.err
    assert (workdir / "city.png").stat().st_size > 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder into which other users may look, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_no_permission(open_folder: Path) -> None:
    tmp_path = open_folder
    write_table(ROWS[:5], f"{tmp_path}/in/")
    file = tmp_path / "in" / "part-00000.parquet"
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    file.chmod(0)
    with as_nobody():
        for name in ("a.csv", "a.parquet", "a/"):
            with raises(HumobError, f"/{name}:", "Permission denied"):
                write_table(ROWS[:5], f"{closed}/{name}")
        with raises(HumobError, "m:", "Permission denied"):
            model_dir.save(Checkpoint("m", {}, {}), closed / "m")
        with raises(HumobError, "part-00000.parquet", "Permission denied"):
            read_table(str(tmp_path / "in"))
    file.parent.chmod(0)
    with as_nobody(), raises(HumobError, "in:", "Permission denied"):
        read_table(str(tmp_path / "in"))
    file.parent.chmod(0o755)


# -- models ---------------------------------------------------------------------------------------


def cut(folder: Path, name: str, size: int) -> None:
    """Cut a file off."""
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:size])


def changed(folder: Path, **config: object) -> None:
    """Change what ``config.json`` says; None takes a setting away."""
    record = {**json.loads((folder / "config.json").read_text()), **config}
    kept = {key: value for key, value in record.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept))


BROKEN: dict[str, Callable[[Path], None]] = {
    "no arrays": lambda folder: cut(folder, "model.safetensors", 0),
    "cut off in the header": lambda folder: cut(folder, "model.safetensors", 100),
    "cut off in the arrays": lambda folder: cut(folder, "model.safetensors", 5000),
    "no config": lambda folder: cut(folder, "config.json", 0),
    "half a config": lambda folder: cut(folder, "config.json", 20),
    "another type": lambda folder: changed(folder, type="ranker"),
    "no type": lambda folder: changed(folder, type=None),
    "no run": lambda folder: (folder / "run.json").unlink(),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_model_dir(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    arrays = {"a": np.zeros(4000, np.float32), "b": np.zeros(4000, np.float32)}
    model_dir.save(Checkpoint("embedder", {"n": 1}, arrays), folder)
    model_dir.load(folder, type="embedder")
    BROKEN[how](folder)
    with raises(HumobError, str(folder)):
        model_dir.load(folder, type="embedder")


ODD: tuple[object, ...] = (None, -1, 0, 0.5, "x", [], {}, 1e30)


def odd_configs(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A config with each of its values, and those of its sections, made odd in turn."""
    for key, value in config.items():
        for odd in ODD:
            yield {**config, key: odd}
        if isinstance(value, dict):
            yield from ({**config, key: inner} for inner in odd_configs(value))


def test_odd_settings_of_a_ranker() -> None:
    config = RankerConfig(hidden=4, members=1)
    sizes = array_sizes(len(NAMES), config.hidden, config.members)
    arrays = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
    whole = to_checkpoint(RankerNetwork(**arrays), config)
    city = CityCounter(75).city()
    from_checkpoint(whole, city, "m")
    for odd in odd_configs(whole.config):
        with suppress(HumobError):
            from_checkpoint(replace(whole, config=odd), city, "m")
    doubled = {name: array.astype(np.float64) for name, array in arrays.items()}
    with raises(HumobError, "model.safetensors", "float64", "float32"):
        from_checkpoint(replace(whole, arrays=doubled), city, "m")


def test_odd_settings_of_an_embedder(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch")
    from humobctl.embed.embed import load_embedder
    from humobctl.embed.model import Encoder

    folder = tmp_path / "model"
    settings = tiny()
    weights = Encoder(settings, 1).state_dict()
    arrays = {f"encoder.{name}": value.numpy() for name, value in weights.items()}
    arrays["seen.1"] = np.zeros(1, np.uint32)
    config = {"settings": asdict(settings), "cities": ["city"]}
    about = {"cities": [{"fingerprint": "none"}]}
    model_dir.save(Checkpoint("embedder", config, arrays, about), folder)
    load_embedder(str(folder))
    refused = 0
    for odd in list(odd_configs(config))[::4]:
        model_dir.write_json(folder / "config.json", {"type": "embedder", **odd})
        try:
            load_embedder(str(folder))
        except HumobError as exc:
            refused += 1
            assert str(exc).startswith(str(folder))
            assert "\n" not in str(exc)
    assert refused > len(ODD)
    for name, odd in (("blocks", 1 << 14), ("width", 1 << 14), ("lstm_units", 1 << 14)):
        record = {"type": "embedder", **config, "settings": {**config["settings"], name: odd}}
        model_dir.write_json(folder / "config.json", record)
        with raises(HumobError, str(folder)) as caught:
            load_embedder(str(folder))
        assert re.search("layers|array", str(caught.value))


def test_settings_that_ask_for_more_than_the_arrays_are(tmp_path: Path) -> None:
    """A million layers would be built for an hour; a width of 60,000 takes all memory."""
    pytest.importorskip("torch", reason="needs torch")
    from humobctl.predict.bert_moe import config, model

    folder = tmp_path / "model"
    settings = config.tiny()
    network = model.BertMoe(model.BertMoeConfig(asdict(settings), ["city"]))
    model_dir.save(Checkpoint("bert-moe", {}, {}), folder, write=network.save_pretrained)
    record = json.loads((folder / "config.json").read_text())
    record["type"] = "bert-moe"
    for asked in ({}, {"hidden_layers": 1 << 20}, {"hidden_size": 60_000}, {"experts": 1 << 20}):
        changed(folder, **{**record, "settings": {**record["settings"], **asked}})
        if not asked:
            model.load_network(str(folder))
            continue
        with raises(HumobError, str(folder)):
            model.load_network(str(folder))


def test_a_rank_that_asks_for_more_than_the_arrays_are(tmp_path: Path) -> None:
    language = pytest.importorskip("humobctl.llm.load", reason="needs torch")
    arrays = {"model.q_proj.lora_A.weight": np.zeros((4, 8), np.float32)}
    save_file(arrays, tmp_path / "adapter_model.safetensors")
    for record in ({"r": 1 << 30}, {"r": 4, "rank_pattern": {"q_proj": 5}}):
        (tmp_path / "adapter_config.json").write_text(json.dumps(record))
        with raises(HumobError, "adapter_config.json", "rank", 4):
            language.attach_adapter(None, str(tmp_path))


# -- clocks ---------------------------------------------------------------------------------------


def test_a_clock_that_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is measured by the time of day: it may go back and forth."""
    jumps = iter([1e9, -5.0, 4e9, 0.0] * 1000)
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(report, "BAR_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(report, "REFRESH_SECONDS", 0.0)
    with report.progress("counting", 3) as ticker:
        for _ in range(3):
            ticker.advance()
    shown = capsys.readouterr().err
    assert "counting" in shown
    assert "100%" in shown
    write_table(ROWS[:5], str(tmp_path / "a.csv.gz"))
    write_table(ROWS[:5], f"{tmp_path}/a/")
    model_dir.save(Checkpoint("m", {}, {}), tmp_path / "m")
    assert not [name for name in visible(tmp_path) if name.startswith(".")]


def test_no_module_asks_for_the_time_of_day() -> None:
    package = Path(report.__file__).parent
    asked = ("time.time(", "datetime.now(", "utcnow(", "today()")
    found = [
        str(path)
        for path in package.rglob("*.py")
        if any(call in path.read_text() for call in asked)
    ]
    assert found == []
