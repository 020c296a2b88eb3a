"""Pickles through the allow-list: data frames come in, nothing else does."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import os
import pickle
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from humobctl.data.importers import pickles
from humobctl.errors import HumobError
from tests.messages import raises

FILES = Path(__file__).parent / "pickles"
PANDAS = ("1.5.3", "2.2.3", "3.0.0")


def load(name: str) -> Any:
    with (FILES / name).open("rb") as stream:
        return pickles.load(stream, name)


@pytest.mark.parametrize("version", PANDAS)
def test_frames_of_each_pandas_are_read(version: str) -> None:
    value = load(f"foursquare_{version}.pkl")
    assert list(value) == [7, 9]
    first = pickles.to_polars(value[7][0], "a")
    assert first.rows() == [
        (7, "v1", "Café", 35.7, 139.7, dt.datetime(2012, 4, 3, 18, 0, 9), "eat"),
        (7, "v2", "Home", 35.68, 139.75, dt.datetime(2012, 4, 3, 23, 10), "go home"),
    ]
    assert first.columns[0] == "User ID"
    assert first.columns[-1] == "General Category"


@pytest.mark.parametrize("version", PANDAS)
def test_zoned_times_are_wall_clock(version: str) -> None:
    value = load(f"aware_{version}.pkl")
    assert pickles.to_polars(value[7][0], "a")["Local time"].to_list() == [
        dt.datetime(2012, 4, 3, 18, 0, 9),
        dt.datetime(2012, 4, 3, 23, 10),
    ]
    other = pickles.to_polars(value[9][0], "a")["Local time"].to_list()
    assert other == [dt.datetime(2012, 4, 5, 8, 30)]


@pytest.mark.parametrize("version", PANDAS)
def test_categories_are_text(version: str) -> None:
    frame = pickles.to_polars(load(f"tencent_{version}.pkl")[1], "a")
    assert frame.rows() == [
        (39.9, 116.3, "go home"),
        (39.9, 116.3, "go home"),
        (40.0, 116.4, "eat"),
    ]


@pytest.mark.parametrize("version", PANDAS)
def test_old_protocols_and_columns_of_objects_are_read(version: str) -> None:
    frame = pickles.to_polars(load(f"odd_{version}.pkl")[0], "a")
    assert frame.row(0, named=True) == {
        "User ID": 7,
        "Venue ID": "v1",
        "Venue category name": "Café",
        "Latitude": 35.7,
        "Longitude": 139.7,
        "Local time": dt.datetime(2012, 4, 3, 18, 0, 9),
        "General Category": "eat",
        "n": 1,
    }


class _Evil:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.parts = call, arguments

    def __reduce__(self) -> Any:
        return self.parts


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (os.system, "system"),
        (eval, "eval"),
        (exec, "exec"),
        (__import__, "__import__"),
        (subprocess.check_output, "check_output"),
        (getattr, "getattr"),
        (np.load, "load"),
        (pickle.loads, "loads"),
    ],
)
def test_a_pickle_that_wants_to_run_something_is_refused(
    tmp_path: Path, protocol: int, call: Any, name: str
) -> None:
    proof = tmp_path / "ran"
    argument = {
        "eval": f"open({str(proof)!r}, 'w')",
        "exec": f"open({str(proof)!r}, 'w')",
        "getattr": "upper",
    }.get(name, f"touch {proof}")
    arguments = (argument, "upper") if name == "getattr" else (argument,)
    evil = pickle.dumps({"data": [_Evil(call, *arguments)]}, protocol=protocol)
    with raises(HumobError, "evil.pkl", name, "pickle"):
        pickles.load(io.BytesIO(evil), "evil.pkl")
    assert not proof.exists()


def test_an_object_hidden_in_an_array_of_objects_is_refused() -> None:
    array = np.array([_Evil(os.system, "true")], dtype=object)
    with raises(HumobError, "system", "pickle"):
        pickles.load(io.BytesIO(pickle.dumps(array)), "a")


@pytest.mark.parametrize("cut", [10, 100, 1000])
def test_a_pickle_that_is_cut_off_is_named(cut: int) -> None:
    whole = (FILES / "foursquare_2.2.3.pkl").read_bytes()
    with raises(HumobError, "a:", "pickle"):
        pickles.load(io.BytesIO(whole[:cut]), "a")


def test_plain_values_and_arrays_are_what_they_were() -> None:
    value = {"a": [1, 2.5, "x", (True, None)], "b": np.arange(3), "c": np.float64(2)}
    found = pickles.load(io.BytesIO(pickle.dumps(value)), "a")
    assert found["a"] == value["a"]
    assert found["b"].tolist() == [0, 1, 2]
    assert found["c"] == 2.0


class _Array:
    """An array whose state numpy would take, and crash on."""

    def __init__(self, shape: Any, dtype: Any, data: Any) -> None:
        self.state = (1, shape, dtype, False, data)

    def __reduce__(self) -> Any:
        return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), self.state  # type: ignore[attr-defined]


class _Dtype:
    """An object dtype that claims to be plain bytes, so that bytes become addresses."""

    def __reduce__(self) -> Any:
        return np.dtype, ("O8", False, True), (3, "|", None, None, None, 8, 8, 0)


@pytest.mark.parametrize(
    ("shape", "dtype", "data"),
    [
        ((300_000,), np.dtype("O"), [1]),
        ((1,), _Dtype(), b"\x41" * 8),
        ((10**12,), np.dtype("f8"), b""),
        ((-1,), np.dtype("f8"), b"12345678"),
        ((2,), np.dtype("f8"), b"1" * 15),
        ((1,), np.dtype([("a", "O")]), [1]),
        ((1, 1, 1, 1), np.dtype("i1"), b"1"),
    ],
)
def test_an_array_that_does_not_fit_together_is_refused(shape: Any, dtype: Any, data: Any) -> None:
    bad = pickle.dumps(_Array(shape, dtype, data))
    with raises(HumobError, "a:", "pickle", "cannot be read"):
        pickles.load(io.BytesIO(bad), "a")


@pytest.mark.parametrize(
    "text",
    [
        b"(I1000000000000\ni__builtin__\nbytearray\n.",
        b"c__builtin__\nbytearray\n(I1000000000000\ntR.",
        b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R(K\x01K\x02tb.",
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x02]r\xff\xff\xff\x0f.",
    ],
    ids=[
        "instance of a bytearray",
        "bytearray",
        "ndarray called",
        "a memo far away",
        "a memo less far away",
    ],
)
def test_a_few_bytes_do_not_take_all_memory(text: bytes) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(HumobError):
        assert not isinstance(
            pickles.load(io.BytesIO(text), "a", len(text)), bytearray | np.ndarray
        )
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3e6  # kilobytes


def test_columns_without_end_are_refused() -> None:
    frame = load("tencent_2.2.3.pkl")[1]
    manager = frame.state["_mgr"]
    columns = pickles._part("range")()
    columns.state = {"start": 0, "stop": 10**12, "step": 1}
    manager.args = (manager.args[0], (columns, *manager.args[1][1:]))
    with raises(HumobError, 10**12, "columns"):
        pickles.to_polars(frame, "a")


def test_things_of_no_common_type_are_text() -> None:
    from humobctl.data.importers.pickles import _series

    things = np.empty(3, object)
    for place, thing in enumerate(("x", dt.datetime(2020, 1, 1), None)):
        things[place] = thing
    assert _series(things).to_list() == ["x", "2020-01-01 00:00:00", None]
    things[1] = Fraction(1, 3)
    assert _series(things).to_list() == ["x", "1/3", None]
