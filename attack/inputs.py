"""Mutated inputs of every format, and values known to be bad, through the parsers of commands."""

from __future__ import annotations

import functools
import io
import os
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from attack.workers import Outcome, watch
from fuzz.mutate import mutated
from fuzz.seeds import seeds
from fuzz.targets import TARGETS, check
from humobctl.errors import HumobError
from humobctl.io.read import iter_table
from humobctl.tables import schemas

FINDINGS = Path("build/attack")
EMPTY = ""
NO_NUMBERS = ("x", "nan", "inf", "-inf", "1e400", "9" * 400, "--1", "1;2", "0x10", "1 2", "１２")
NO_INTEGERS = (*NO_NUMBERS, "1.5", "-1", "99999999999")
NO_TIMES = ("x", "2023-13-01", "2023-02-30T00:00:00", "25:00", "nan", "-")


_KINDS = {
    b"PAR1": "Parquet",
    b"ARRO": "Arrow",
    b"\xff\xff\xff\xff": "Arrow stream",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5": "zstd",
    b"{": "NDJSON",
    b"[": "JSON",
    b"\x93NUMPY": "npy",
    b"fgb": "FlatGeobuf",
    b"<?xml": "XML",
}


def kind_of(seed: bytes) -> str:
    """The kind of file that an input of a target is, by its first bytes."""
    return next((kind for magic, kind in _KINDS.items() if seed[1:].startswith(magic)), "text")


def _by_kind(*targets: str) -> dict[str, tuple[str, str]]:
    return {
        f"{target}, {kind}": (target, kind)
        for target in targets
        for kind in dict.fromkeys(map(kind_of, seeds(target)))
    }


FORMATS = _by_kind("table", "import", "places") | {
    target: (target, "") for target in TARGETS if target not in ("table", "import", "places")
}
"""Label: the target, and the kind of file where it reads several."""


def mutate(label: str, count: int, seed: int = 1) -> Outcome:
    """Mutated inputs of one kind, a part of them in each of several processes."""
    return _split(count, functools.partial(_mutation, label, seed))


def keep(label: str, number: int, seed: int = 1) -> Path:
    """Write the input of a finding as a file, without the byte that chooses."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    path = FINDINGS / f"{label.replace(', ', '-')}-{number}"
    path.write_bytes(_made(label, number, seed)[1:])
    return path


def _mutation(label: str, seed: int, number: int) -> bool:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check(TARGETS[FORMATS[label][0]], Path(folder), _made(label, number, seed))


def _made(label: str, number: int, seed: int) -> bytes:
    draw = random.Random(f"{label} {seed} {number}")
    return mutated(draw.choice(_good_inputs(label)), draw)


@functools.cache
def _good_inputs(label: str) -> list[bytes]:
    target, kind = FORMATS[label]
    return [seed for seed in seeds(target) if kind in ("", kind_of(seed))]


def _split(count: int, attempt: Callable[[int], bool]) -> Outcome:
    workers = os.cpu_count() or 1
    slices = [range(first, count, workers) for first in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(lambda numbers: watch(numbers, attempt), slices))
    whole = Outcome(most_bytes=max(part.most_bytes for part in parts))
    for part in parts:
        whole.tried += part.tried
        whole.refused += part.refused
        whole.findings |= part.findings
    return whole


# -- values that are known to be bad --------------------------------------------------------------


def plant() -> Outcome:
    """Every bad value in every column of every table, as CSV, NDJSON and Parquet.

    An attempt that is accepted is a finding.
    """
    return _split(len(_bad_tables()), _planted)


def _planted(number: int) -> bool:
    return is_refused(*_bad_tables()[number])


def is_refused(table: schemas.Table, name: str, raw: bytes, words: str) -> bool:
    """Whether a table is refused; it is an error if not.

    Args:
        table: its kind.
        name: of its format.
        raw: its bytes.
        words: what is bad in it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"in.{name}")
        path.write_bytes(raw)
        try:
            rows = sum(frame.height for frame in iter_table(str(path), table))
        except HumobError:
            return True
    raise AssertionError(f"{words}: accepted, {rows} rows")


@functools.cache
def _bad_tables() -> list[tuple[schemas.Table, str, bytes, str]]:
    kinds = (value for value in vars(schemas).values() if isinstance(value, schemas.Table))
    return [bad for table in kinds for bad in bad_tables(table)]


def bad_tables(table: schemas.Table) -> Iterator[tuple[schemas.Table, str, bytes, str]]:
    """Such a table of two rows with one bad value: its kind, format and bytes, what is bad."""
    for column, dtype in table.dtypes.items():
        for value in bad_values(table, column):
            rows = [{name: _good(table, name) for name in table.columns} for _ in range(2)]
            rows[1][column] = value
            if table.key and column not in table.key:
                rows[1][table.key[0]] = "2"
            words = f"{table.name} {column}={value[:20]!r} ({dtype})"
            for name, raw in _written(pl.DataFrame(rows)):
                yield table, name, raw, f"{words} as {name}"


def bad_values(table: schemas.Table, column: str) -> tuple[str, ...]:
    """Values that no table of this kind can hold in this column."""
    declared = table.schema.columns()[column]
    dtype = declared.dtype
    bad: tuple[str, ...] = ()
    if dtype.is_integer():
        bad = NO_INTEGERS
    elif dtype.is_float():
        bad = NO_NUMBERS
    elif isinstance(dtype, pl.Datetime):
        bad = NO_TIMES
    return bad if declared.nullable or column in table.optional else (*bad, EMPTY)


def _good(table: schemas.Table, column: str) -> str:
    dtype = table.dtypes[column]
    if column == "intent":
        return "eat"
    if column == "end_min":
        return "2"
    if isinstance(dtype, pl.Datetime):
        return "2023-09-04T08:00:00"
    return "1" if dtype.is_numeric() else "a"


def _written(frame: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
    yield "csv", frame.write_csv().encode()
    yield "ndjson", frame.write_ndjson().encode()
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    yield "parquet", buffer.getvalue()
