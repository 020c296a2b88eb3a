"""Pickled data frames, read without running what a pickle asks for.

A pickle is a program. Here it may build plain containers, numpy arrays and the parts of a pandas
data frame, and nothing else: every other name ends the import. pandas itself is not used. Its
classes are stood in for by ``_Part``, which only keeps what it is given, and ``to_polars`` puts
the columns together. numpy's arrays are stood in for, too: it takes a state whose parts do not fit
together, and reads or writes beyond its memory then.

Written from pickles of pandas 1.5, 2.2 and 3.0.
"""

from __future__ import annotations

import codecs
import contextlib
import datetime as dt
import math
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from humobctl.errors import HumobError

LEAST_MEMORY, MEMORY_PER_BYTE = 1 << 30, 200
"""Bytes that reading may take: in any case, and for each byte of a file, which may be packed."""
_MOST_COLUMNS = 100_000
_FRAMES = "plain containers, numpy arrays and pandas data frames"


class _Part:
    """Stands for a class: keeps the arguments and the state, runs nothing."""

    kind = ""
    args: tuple[Any, ...] = ()  # pickles may make an object without calling __init__
    state: Any = None

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _part(kind: str) -> type[_Part]:
    return type(kind, (_Part,), {"kind": kind})


class _Zone(_Part):
    kind = "zone"

    @staticmethod
    def _unpickle(key: str, *_: Any) -> _Zone:
        return _Zone(key)


def _attribute(owner: Any, name: str) -> Any:
    """Stands for ``getattr``, which zoneinfo's pickles use for this one thing."""
    if owner is _Zone and name == "_unpickle":
        return _Zone._unpickle
    raise HumobError(f"found getattr of {name!r} in the pickle, expected {_FRAMES}")


def _latin1(text: str, encoding: str) -> bytes:
    """Stands for ``codecs.encode``, which old protocols use for bytes."""
    if encoding != "latin1":
        raise HumobError(f"found the encoding {encoding!r} in the pickle, expected latin1")
    return codecs.encode(text, "latin1")


def _timestamp(value: int, freq: Any = None, zone: Any = None, unit: int = 10) -> Any:
    """A pandas Timestamp: its value counts from 1970 in UTC; ``unit`` is numpy's number."""
    per_second = {7: 1, 8: 10**3, 9: 10**6, 10: 10**9}[unit]
    micros = value * 10**6 // per_second
    return _wall(pl.Series([micros]).cast(pl.Datetime("us")), zone)[0]


def _bypass(cls: type[_Part], *_: Any) -> _Part:
    """Stands for pandas' and numpy's "make one and set its state" functions."""
    return cls()


def _new_index(cls: type[_Part], state: dict[str, Any]) -> _Part:
    part = cls()
    part.state = state
    return part


def _bytearray(*args: Any) -> bytearray:
    """Stands for ``bytearray``, which also makes any number of zeros."""
    if not all(isinstance(arg, bytes | str) for arg in args):
        raise HumobError(f"found a bytearray of no bytes in the pickle, expected {_FRAMES}")
    return bytearray(*args)


class _Type:
    """Stands for ``numpy.dtype``, whose state can claim that bytes are addresses of objects."""

    def __init__(self, text: str, *_: Any) -> None:
        self.text = str(text)
        self.state: Any = (3, "=")

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type, of those that columns of data frames have."""
        order, unit = self.state[1], ""
        if _TYPE.fullmatch(self.text) is None or order not in tuple("<>|="):
            raise ValueError(f"the type {self.text} of an array")
        if self.text[0] in "mM" and len(self.state) > 8:
            unit = f"[{bytes(self.state[8][1][0]).decode('ascii')}]"
        return np.dtype(f"{order}{self.text}{unit}")


class _Array(np.ndarray[Any, Any]):
    """An array that takes a state only if its parts fit together, which numpy does not check."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        dtype = kind.dtype
        if len(shape) > 3 or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"an array of shape {shape}")
        size, objects = math.prod(shape), dtype.hasobject
        fits = isinstance(data, list) if objects else isinstance(data, bytes | bytearray)
        if not fits or len(data) != (size if objects else size * dtype.itemsize):
            raise ValueError(f"an array of shape {shape} with other contents")
        super().__setstate__((1, tuple(shape), dtype, bool(fortran), data))  # type: ignore[arg-type]


_NDARRAY = _part("ndarray")


def _reconstruct(*_: Any) -> _Array:
    """Stands for numpy's function of this name: an empty array, which gets its state later."""
    return np.ndarray.__new__(_Array, (0,), "b")


def _scalar(kind: _Type, data: bytes = b"") -> Any:
    """A single number of numpy."""
    dtype = kind.dtype
    if dtype.hasobject or len(data) != dtype.itemsize:
        raise ValueError("a number of numpy with other contents")
    return np.frombuffer(data, dtype)[0]


_TYPE = re.compile(r"b1|[iu][1248]|f[248]|O8?|[mM]8|[SU]\d{1,5}")
_CONTAINERS: dict[str, Any] = {
    "list": list,
    "dict": dict,
    "set": set,
    "tuple": tuple,
    "slice": slice,
    "bytearray": _bytearray,
    "getattr": _attribute,
}
_ALLOWED: dict[tuple[str, str], Any] = {
    **{(module, n): v for module in ("builtins", "__builtin__") for n, v in _CONTAINERS.items()},
    ("collections", "OrderedDict"): dict,
    ("_codecs", "encode"): _latin1,
    ("copyreg", "_reconstructor"): _bypass,
    ("datetime", "timedelta"): dt.timedelta,
    ("datetime", "timezone"): dt.timezone,
    ("datetime", "datetime"): dt.datetime,
    ("datetime", "date"): dt.date,
    ("datetime", "time"): dt.time,
    ("zoneinfo", "ZoneInfo"): _Zone,
    ("pytz", "_p"): _Zone,
    ("pytz", "_UTC"): lambda *_: _Zone("UTC"),
    ("pytz", "_FixedOffset"): lambda minutes, *_: dt.timezone(dt.timedelta(minutes=minutes)),
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Type,
    ("pandas._libs.internals", "_unpickle_block"): _part("block"),
    ("pandas._libs.internals", "BlockPlacement"): _part("placement"),
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): lambda cls, _sum, state: (
        cls() if state is None else _new_index(cls, state)
    ),
    ("pandas._libs.tslibs.timestamps", "_unpickle_timestamp"): _timestamp,
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
    ("pandas._libs.tslibs.nattype", "_nat_unpickle"): lambda *_: None,
}
_CLASSES = {
    "DataFrame": "frame",
    "BlockManager": "manager",
    "Index": "index",
    "RangeIndex": "range",
    "Int64Index": "index",
    "DatetimeArray": "times",
    "DatetimeTZDtype": "zoned",
    "Categorical": "categorical",
    "CategoricalDtype": "categories",
    "StringArray": "strings",
    "StringDtype": "string dtype",
}
_HOMES = (
    "pandas",
    "pandas.arrays",
    "pandas.core.frame",
    "pandas.core.internals.managers",
    "pandas.core.indexes.base",
    "pandas.core.indexes.range",
    "pandas.core.indexes.numeric",
    "pandas.core.arrays.datetimes",
    "pandas.core.arrays.categorical",
    "pandas.core.arrays.string_",
    "pandas.core.dtypes.dtypes",
)
for _name, _kind in _CLASSES.items():
    _stand_in = _part(_kind)
    for _home in _HOMES:
        _ALLOWED[_home, _name] = _stand_in
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ALLOWED[_module, "_reconstruct"] = _reconstruct
    _ALLOWED[_module, "scalar"] = _scalar


class _AllowList(pickle.Unpickler):
    """Finds only what is listed above."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise HumobError(
                f"found {module}.{name} in the pickle, expected {_FRAMES} only; nothing was run"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise HumobError("found a reference to outside the pickle, expected a whole one")


def load(stream: IO[bytes], name: str, size: int | None = None) -> Any:
    """Read a pickle of containers, arrays and data frames (as parts for ``to_polars``).

    Args:
        stream: with the pickle.
        name: of the file.
        size: of the file in bytes, compressed or not; None where it is not known.

    Raises:
        HumobError: anything else is in it, or it is damaged; nothing of it was run.
    """
    try:
        with _bounded_memory(size):
            return _AllowList(stream).load()
    except HumobError as exc:
        raise HumobError(f"{name}: {exc}") from None
    except (EOFError, pickle.UnpicklingError) as exc:
        raise HumobError(f"{name}: found a pickle that is cut off or damaged ({exc})") from exc
    except Exception as exc:  # a pickle can put any call of those allowed together wrongly
        why = str(exc) or type(exc).__name__
        raise HumobError(
            f"{name}: found a pickle that cannot be read ({why}), expected {_FRAMES}"
        ) from exc


@contextmanager
def _bounded_memory(size: int | None) -> Iterator[None]:
    """Make an error of a pickle that wants memory out of all proportion; a few bytes can."""
    try:
        import resource  # noqa: PLC0415 - not on Windows

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        told = Path("/proc/meminfo").read_text()
        free = int(told.partition("MemAvailable:")[2].split()[0]) * 1024
        before = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError, ValueError, IndexError):
        yield
        return
    wanted = free if size is None else min(free, LEAST_MEMORY + MEMORY_PER_BYTE * size)
    most = used + wanted
    soft = most if before[0] == resource.RLIM_INFINITY else min(most, before[0])
    resource.setrlimit(resource.RLIMIT_AS, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def is_frame(value: Any) -> bool:
    """Whether ``load`` gave the parts of a data frame here."""
    return isinstance(value, _Part) and value.kind == "frame"


def to_polars(frame: Any, name: str) -> pl.DataFrame:
    """The columns of a pickled data frame; its index is left out.

    Times with a zone become wall-clock times of that zone.

    Raises:
        HumobError: a part of it is of a kind not known here.
    """
    try:
        manager = frame.state.get("_mgr", frame.state.get("_data"))
        blocks, axes = _blocks(manager)
        names = [str(label) for label in _plain(axes[0])]
        columns: dict[int, pl.Series] = {}
        for values, placement in blocks:
            where = _positions(placement, len(names))
            for position, column in zip(where, _columns(values, len(where)), strict=True):
                columns[position] = column.alias(names[position])
        return pl.DataFrame([columns[position] for position in range(len(names))])
    except Exception as exc:  # parts can be missing or of any kind
        raise HumobError(
            f"{name}: found a data frame of a kind not known here ({exc}), expected one that "
            "pandas 1 to 3 wrote; save it as Parquet instead"
        ) from exc


def _blocks(manager: _Part) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """(values, placement) of each block, and the axes."""
    if manager.args:  # pandas 1.3 and later
        blocks, axes = manager.args
        return [(block.args[0], block.args[1]) for block in blocks], list(axes)
    state = manager.state[3]["0.14.1"]
    return [(b["values"], b["mgr_locs"]) for b in state["blocks"]], list(state["axes"])


def _positions(placement: Any, width: int) -> list[int]:
    if isinstance(placement, _Part):
        placement = placement.args[0]
    if isinstance(placement, slice):
        return list(range(*placement.indices(width)))
    return [int(position) for position in placement]


def _columns(values: Any, count: int) -> list[pl.Series]:
    """The ``count`` columns of a block."""
    kind = values.kind if isinstance(values, _Part) else "array"
    if kind == "array":
        rows = values if values.ndim == 2 else values.reshape(1, -1)
        return [_series(rows[index]) for index in range(count)]
    dtype, array = _backing(values)
    if kind == "times":
        rows = array if array.ndim == 2 else array.reshape(1, -1)
        zone = dtype.state["tz"] if isinstance(dtype, _Part) else None
        return [_wall(_series(rows[index]), zone) for index in range(count)]
    if kind == "categorical":
        labels = pl.Series(_plain(dtype.state["categories"]), dtype=pl.String, strict=False)
        codes = pl.Series(array).cast(pl.Int64)
        return [labels.gather(codes.set(codes < 0, None))]
    if kind == "strings":
        rows = array if array.ndim == 2 else array.reshape(1, -1)
        return [_series(rows[index]) for index in range(count)]
    raise ValueError(kind)


def _backing(part: _Part) -> tuple[Any, Any]:
    """(dtype, array) of an array with a dtype of pandas' own."""
    state = part.state
    if isinstance(state, dict):
        return state["_dtype"], state["_ndarray"]
    return (state[0], state[1]) if isinstance(state[1], np.ndarray) else (state[1], state[0])


def _plain(values: Any) -> list[Any]:
    """Labels of an index."""
    if isinstance(values, _Part):
        if values.kind == "range":
            state = values.state
            labels = range(state["start"], state["stop"], state["step"])
            if len(labels) > _MOST_COLUMNS:
                raise ValueError(f"{len(labels)} columns")
            return list(labels)
        if values.kind == "index":
            return _plain(values.state["data"])
        return _plain(_backing(values)[1])
    return list(np.asarray(values).reshape(-1).tolist())


def _series(array: Any) -> pl.Series:
    if array.dtype.kind == "M":
        micros = array.astype("datetime64[us]")
        return pl.Series(micros).cast(pl.Datetime("us"))
    if array.dtype.kind != "O":
        return pl.Series(np.ascontiguousarray(array))
    items = [None if isinstance(i, float) and math.isnan(i) else i for i in array.tolist()]
    there = [item for item in items if item is not None]
    if there and all(isinstance(item, dt.datetime) for item in there):
        naive = [item.replace(tzinfo=None) if item is not None else None for item in items]
        return pl.Series(naive, dtype=pl.Datetime("us"))
    # Things that have no common type are shown as what they are, for the check of their column.
    with contextlib.suppress(TypeError, OverflowError, pl.exceptions.PolarsError):
        found = pl.Series(items, dtype=None if there else pl.String)
        if found.dtype != pl.Object:
            return found
    return pl.Series([None if i is None else str(i) for i in items], dtype=pl.String)


def _wall(times: pl.Series, zone: Any) -> pl.Series:
    """Wall-clock times of a zone, from UTC."""
    if zone is None:
        return times
    if isinstance(zone, dt.timezone):
        return times + zone.utcoffset(None)
    name = zone.args[0]
    return times.dt.replace_time_zone("UTC").dt.convert_time_zone(name).dt.replace_time_zone(None)
